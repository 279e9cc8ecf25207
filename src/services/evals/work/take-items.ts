import { toRow } from '../../../core/eval/check-row.ts';
import { drawSample } from '../../../core/eval/draw-sample.ts';
import type { Fields } from '../../../core/fields.ts';
import { LineFramer } from '../../../core/jsonl.ts';
import { unixSeconds } from '../../../ports/clock.ts';
import type { Deps } from '../../../ports/deps.ts';
import { FileMissing } from '../../../ports/files.ts';
import type { EvalFailure, EvalItemRow, EvalRunRow } from '../../../ports/store-evals.ts';
import type { FileRow } from '../../../ports/store-files.ts';
import type { EvalSampleOfRows } from '../../../protocol/eval-run.ts';
import type { RunPlan } from '../run-plan.ts';
import { type Turn, TurnOver } from './turn.ts';

const ROWS_AT_ONCE = 500;
const BYTES_AT_ONCE = 4 * 1024 ** 2;
const ITEMS_MAX = 1_000_000;

/** Why a run cannot begin. */
class RowsRefused extends Error {
  readonly failure: EvalFailure;

  constructor(code: string, message: string) {
    super(message);
    this.failure = { code, message };
  }
}

/**
 * Takes the rows of a run's data source in, page by page, then begins it; null when the turn was over before. A row that
 * cannot be asked or graded fails the run, before anything is paid for.
 */
export async function takeItems(deps: Deps, run: EvalRunRow, plan: RunPlan, turn: Turn): Promise<EvalRunRow | null> {
  const { evalWork } = deps.store;
  let at = { itemsRead: run.itemsRead, byteOffset: run.byteOffset };
  try {
    for await (const page of pagesOf(deps, run, plan)) {
      const lease = { runId: run.id, token: turn.token, itemsRead: at.itemsRead };
      if (!(await evalWork.addItems(lease, page.items, page.byteOffset))) throw new TurnOver();
      at = { itemsRead: at.itemsRead + page.items.length, byteOffset: page.byteOffset };
      if (!turn.mayGoOn()) return null;
    }
    if (at.itemsRead === 0) throw new RowsRefused('empty_file', 'The data source has no rows. Give it at least one.');
  } catch (error) {
    if (!(error instanceof RowsRefused)) throw error;
    await evalWork.end(run.id, turn.token, { status: 'failed', error: error.failure, now: unixSeconds(deps.clock) });
    return null;
  }
  if (!(await evalWork.begin(run.id, turn.token, unixSeconds(deps.clock)))) throw new TurnOver();
  return { ...run, ...at, status: 'in_progress' };
}

interface RowsPage {
  items: EvalItemRow[];
  /** Where in the file the next row begins. */
  byteOffset: number;
}

async function* pagesOf(deps: Deps, run: EvalRunRow, plan: RunPlan): AsyncGenerator<RowsPage> {
  const { source } = run.dataSource;
  if (source.type !== 'file_id' || !('id' in source)) {
    const rows = sampleOf(run.content ?? [], run.dataSource.sample);
    for (let from = run.itemsRead; from < rows.length; from += ROWS_AT_ONCE) {
      const page = rows.slice(from, from + ROWS_AT_ONCE);
      yield { items: page.map((row, index) => ({ item: from + index, row })), byteOffset: 0 };
    }
    return;
  }
  const file = await deps.store.files.get({ tenantId: run.tenantId }, String(source.id));
  if (file === null) throw gone(String(source.id));
  try {
    yield* filePages(deps, run, plan, file);
  } catch (error) {
    if (error instanceof FileMissing) throw gone(String(source.id));
    throw error;
  }
}

async function* filePages(deps: Deps, run: EvalRunRow, plan: RunPlan, file: FileRow): AsyncGenerator<RowsPage> {
  if (run.byteOffset >= file.bytes) return;
  const { sample } = run.dataSource;
  const places = sample == null ? null : placesOf(await countRows(deps, file), sample);
  let item = run.itemsRead;
  // A page of a sample ends with the last row that it took.
  let row = places === null || item === 0 ? item : (places[item - 1] ?? 0) + 1;
  let page: RowsPage = { items: [], byteOffset: run.byteOffset };
  let bytes = 0;
  const base = run.byteOffset;
  const framer = new LineFramer(deps.settings.maxLineBytes, (line, offset, length) => {
    if (isBlank(line)) return;
    row += 1;
    if (places !== null && places[item] !== row - 1) return;
    bytes += length;
    page.byteOffset = base + offset + length;
    if (item >= ITEMS_MAX)
      throw new RowsRefused('too_many_items', `The file has more than ${ITEMS_MAX} rows. Split it.`);
    page.items.push({ item, row: readRow(line, item, plan) });
    item += 1;
  });
  const chunks = await deps.files.read(file.contentKey, { offset: base, length: file.bytes - base });
  for await (const chunk of chunks) {
    // In pieces, as a chunk of many short rows would make a large page.
    for (let at = 0; at < chunk.length; at += 64 * 1024) {
      framer.push(chunk.subarray(at, at + 64 * 1024));
      if (page.items.length < ROWS_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
      yield page;
      page = { items: [], byteOffset: page.byteOffset };
      bytes = 0;
    }
  }
  framer.end();
  if (page.items.length > 0) yield page;
}

/** The rows of a file that are not blank. */
async function countRows(deps: Deps, file: FileRow): Promise<number> {
  let rows = 0;
  const framer = new LineFramer(deps.settings.maxLineBytes, (line) => {
    if (!isBlank(line)) rows += 1;
  });
  for await (const chunk of await deps.files.read(file.contentKey)) framer.push(chunk);
  framer.end();
  return rows;
}

function isBlank(line: Uint8Array | null): boolean {
  return line !== null && Buffer.from(line).toString('latin1').trim() === '';
}

function sampleOf<Row>(rows: readonly Row[], sample: EvalSampleOfRows | null | undefined): readonly Row[] {
  if (sample == null) return rows;
  return placesOf(rows.length, sample).flatMap((place) => rows[place] ?? []);
}

function placesOf(total: number, { size, share, least, seed }: EvalSampleOfRows): number[] {
  return drawSample(total, size === undefined ? { share: share ?? 1, least: least ?? 1 } : { count: size }, seed);
}

function readRow(line: Uint8Array | null, item: number, plan: RunPlan) {
  const refuse = (why: string) =>
    new RowsRefused('invalid_item', `Row ${item + 1} cannot be taken: ${why}. Correct it and start a new run.`);
  if (line === null) throw refuse('it is too long');
  let row: unknown;
  try {
    row = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch {
    throw refuse('it is not JSON in UTF-8');
  }
  const problem = plan.checkRow(row);
  if (problem !== null) throw refuse(problem);
  return toRow(row as Fields);
}

function gone(id: string): RowsRefused {
  return new RowsRefused(
    'file_not_found',
    `The file '${id}' was deleted before its rows were taken in. Upload it again.`,
  );
}
