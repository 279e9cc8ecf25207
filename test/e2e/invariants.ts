/** Asserts I1–I7 from the outside, through the public API alone. Every end-to-end test ends with it. */
import assert from 'node:assert/strict';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import type { OutputLine, ResultLine } from '../../src/protocol/result-line.ts';
import { resultLineSchema } from '../../src/protocol/result-line.ts';
import type { Weir } from './weir.ts';

export interface Books {
  batch: BatchObject;
  output: ResultLine[];
  errors: ResultLine[];
  lines: OutputLine[];
  entries: LedgerEntryObject[];
}

/** Of the whole process: many tests run the simulated servers and the test itself in it, too. */
const RESIDENT_BYTES_MAX = 1024 ** 3;

const ENDED = ['completed', 'failed', 'expired', 'cancelled'];

/** Reads the books of an ended batch and asserts that they balance. `input` is the text of its input file. */
export async function assertInvariants(weir: Pick<Weir, 'call' | 'client'>, id: string, input: string): Promise<Books> {
  const batch = await weir.call<BatchObject>(`/v1/batches/${id}`);
  assert(ENDED.includes(batch.status), `I4: a terminal state, not ${batch.status}`);
  await assertMemory(weir);
  assertTimestamps(batch);
  const output = await readFile(weir, batch.output_file_id);
  const errors = await readFile(weir, batch.error_file_id);
  if (batch.status === 'failed') {
    assert.equal(output.length + errors.length, 0);
    return { batch, output, errors, lines: [], entries: [] };
  }
  const wanted = input
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
  const got = [...output, ...errors].map((line) => line.custom_id);
  assert.deepEqual(got.toSorted(), wanted.toSorted(), 'I1: every line exactly once');
  const counts = { total: wanted.length, completed: output.length, failed: errors.length };
  assert.deepEqual(batch.request_counts, counts, 'I2: counts equal the files');
  assert(output.every((line) => line.response?.status_code === 200 && line.error === null));
  assert(errors.every((line) => line.error !== null));

  const lines = await readOutput(weir, id);
  const order = lines.map((line) => line.custom_id);
  assert.deepEqual(order, wanted, 'the output is in input order');
  const entries = await readEntries(weir, id);
  assertLedger(batch, lines, entries);
  assertUnchanged(await weir.call<BatchObject>(`/v1/batches/${id}`), batch);
  return { batch, output, errors, lines, entries };
}

/** A provider batch may outlive its batch: it is still asked about and cleaned up there, whoever reads it or not. */
function assertUnchanged(again: BatchObject, batch: BatchObject): void {
  const done = new Set(batch.shards?.filter(({ state }) => state === 'done').map((shard) => shard.id));
  const settled = ({ shards, ...rest }: BatchObject) => ({
    ...rest,
    shards: shards?.map((shard) => (done.has(shard.id) ? shard : shard.id)),
  });
  assert.deepEqual(settled(again), settled(batch), 'I7: reading changes nothing');
}

/** By the server's own figure, which a Worker does not have. */
async function assertMemory(weir: Pick<Weir, 'client'>): Promise<void> {
  const metrics = await (await fetch(new URL('/metrics', weir.client.baseURL))).text();
  const bytes = Number(/^process_resident_memory_bytes (\d+)$/m.exec(metrics)?.[1] ?? 0);
  assert(bytes < RESIDENT_BYTES_MAX, `I6: ${bytes} bytes of memory`);
}

function assertTimestamps(batch: BatchObject): void {
  const order = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at ?? batch.expired_at];
  const known = order.filter((time) => time !== null);
  const sorted = known.toSorted((a, b) => a - b);
  assert.deepEqual(known, sorted, 'I2: timestamps in causal order');
  assert.notEqual(batch[`${batch.status}_at` as 'completed_at'], null, 'I2: the end has a time');
}

function assertLedger(batch: BatchObject, lines: readonly OutputLine[], entries: readonly LedgerEntryObject[]): void {
  const keys = entries.map((entry) => `${entry.line}/${entry.attempt}`);
  assert.equal(new Set(keys).size, keys.length, 'I3: one entry per line and attempt');
  const sum = entries.reduce((total, entry) => total + BigInt(entry.amount_nano_usd ?? 0), 0n);
  const lineSum = lines.reduce((total, line) => total + BigInt(line.weir.cost_nano_usd ?? 0), 0n);
  assert.equal(lineSum, sum, 'I3: sum of entries = sum of the lines’ costs');
  assert.equal(BigInt(batch.cost.amount_nano_usd), sum, 'I3: = the batch’s cost');
  const unpriced = entries.filter((entry) => entry.amount_nano_usd === null);
  assert.equal(batch.cost.unpriced_entries, unpriced.length, 'I3: unpriced entries are counted');
  assert(
    unpriced.every((entry) => entry.unpriced_reason),
    'I3: an entry without a price says why',
  );
}

async function readFile(weir: Pick<Weir, 'client'>, id: string | null): Promise<ResultLine[]> {
  if (id === null) return [];
  const text = await (await weir.client.files.content(id)).text();
  assert(text.endsWith('\n'));
  assert(!/[\u2028\u2029\u0085]/.test(text));
  const file = await weir.client.files.retrieve(id);
  assert.equal(file.bytes, Buffer.byteLength(text));
  return text
    .trimEnd()
    .split('\n')
    .map((line) => resultLineSchema.strict().parse(JSON.parse(line)));
}

/** All lines of `/output`. */
export async function readOutput(weir: Pick<Weir, 'client'>, id: string): Promise<OutputLine[]> {
  const response = await fetch(`${weir.client.baseURL}/batches/${id}/output`, {
    headers: { authorization: `Bearer ${weir.client.apiKey}` },
  });
  assert.equal(response.status, 200);
  const text = await response.text();
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as OutputLine);
}

/** All ledger entries of a batch, oldest first. */
export function readEntries(weir: Pick<Weir, 'call'>, id: string): Promise<LedgerEntryObject[]> {
  return followEntries((path) => weir.call<EntryPage>(path), `batch=${id}&`);
}

export interface EntryPage {
  data: LedgerEntryObject[];
  has_more: boolean;
  last_id: string;
}

/** All ledger entries that `get` is shown, page by page, oldest first. `query`: filters, each with a `&` behind it. */
export async function followEntries(
  get: (path: string) => Promise<EntryPage>,
  query = '',
): Promise<LedgerEntryObject[]> {
  const entries: LedgerEntryObject[] = [];
  let after = '';
  for (;;) {
    const page = await get(`/v1/ledger/entries?${query}order=asc&limit=1000${after && `&after=${after}`}`);
    entries.push(...page.data);
    if (!page.has_more) return entries;
    after = page.last_id;
  }
}
