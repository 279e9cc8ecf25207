import { Buffer } from 'node:buffer';
import { isTerminal } from '../../core/batch-state.ts';
import { resultId } from '../../core/result-text.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FailureGroup } from '../../ports/store-insight.ts';
import type { BatchFailure, BatchFailures } from '../../protocol/batch-insight.ts';
import type { OutputLine } from '../../protocol/result-line.ts';
import { type BatchLine, fullBytes } from '../batches/batch-line.ts';
import { batchLines } from '../batches/lines.ts';
import { restOf } from '../batches/output.ts';
import { PartReader } from '../batches/part-reader.ts';
import { readableOrLost } from '../batches/readable-now.ts';
import { fetchBatch } from '../batches/retrieve.ts';

const GROUPS_MAX = 30;
const EXAMPLES = 3;
/** Lines that are walked, at most, to find those that never reached a provider. */
const WALKED_MAX = 100_000;

/** The failures of a batch by cause, those of most requests first, each with examples. */
export async function batchFailures(services: Deps, context: Context, id: string): Promise<BatchFailures> {
  const deps = readableOrLost(services);
  const batch = await fetchBatch(deps, context, id);
  const reader = new PartReader(deps.files);
  const groups = await deps.store.insight.failures(batch.id, GROUPS_MAX);
  const data: BatchFailure[] = [];
  for (const group of groups) data.push(await present(deps, batch, reader, group));
  const decided = groups.reduce((sum, { requests }) => sum + requests, 0);
  const missing = batch.failed - decided;
  const notSent = missing > 0 && isTerminal(batch.status) ? await findNotSent(deps, batch, reader, missing) : [];
  const found = notSent.reduce((sum, { requests }) => sum + requests, 0);
  return {
    object: 'list',
    data: [...data, ...notSent].sort((a, b) => b.requests - a.requests),
    not_grouped: Math.max(0, missing - found),
  };
}

async function present(deps: Deps, batch: BatchRow, reader: PartReader, group: FailureGroup): Promise<BatchFailure> {
  const examples: BatchFailure['examples'] = [];
  for (const { line, customId, final } of group.examples) {
    // Only what decided a line is kept word for word; of tries that were made again the ledger knows the code.
    const message = final ? await messageOf(deps, batch, reader, line - 1) : null;
    examples.push({ id: resultId(batch.id, line - 1), line, custom_id: customId, message });
  }
  const { errorCode, statusCode, target, status, attempts, requests } = group;
  return { code: errorCode, status_code: statusCode, target, status, attempts, requests, examples };
}

/** What the error of a 0-based line says; null when its result is gone. */
async function messageOf(deps: Deps, batch: BatchRow, reader: PartReader, line: number): Promise<string | null> {
  const record = await reader.find(deps.store.segments, batch.id, line).catch(() => null);
  if (record === null) return null;
  const bytes = await fullBytes(reader, { state: 'finished', line, succeeded: false, record, total: undefined });
  return parse(bytes).error?.message ?? null;
}

/** Lines that failed without a provider's answer: refused, expired, cancelled or lost. */
async function findNotSent(deps: Deps, batch: BatchRow, reader: PartReader, wanted: number): Promise<BatchFailure[]> {
  const groups = new Map<string, BatchFailure>();
  let walked = 0;
  let found = 0;
  const read = (succeeded: boolean): boolean => !succeeded;
  for await (const line of batchLines(deps, batch, reader, { from: 0, rest: restOf(batch), totals: true, read })) {
    walked += 1;
    if (walked > WALKED_MAX || found === wanted) break;
    if (!isNotSent(line)) continue;
    found += 1;
    add(groups, batch, line.line, parse(await fullBytes(reader, line)));
  }
  return [...groups.values()];
}

function isNotSent(line: BatchLine): line is Exclude<BatchLine, { state: 'pending' }> {
  if (line.state === 'missing') return true;
  return line.state === 'finished' && !line.succeeded && line.record.entry.attempts === 0;
}

function add(groups: Map<string, BatchFailure>, batch: BatchRow, line: number, output: OutputLine): void {
  const code = output.error?.code ?? null;
  const group = groups.get(code ?? '') ?? {
    code,
    status_code: output.response?.status_code ?? null,
    target: null,
    status: 'not_sent' as const,
    attempts: 0,
    requests: 0,
    examples: [],
  };
  group.requests += 1;
  if (group.examples.length < EXAMPLES) {
    const message = output.error?.message ?? null;
    group.examples.push({ id: resultId(batch.id, line), line: line + 1, custom_id: output.custom_id, message });
  }
  groups.set(code ?? '', group);
}

function parse(bytes: Uint8Array): OutputLine {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as OutputLine;
}
