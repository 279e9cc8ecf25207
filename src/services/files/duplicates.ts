import { LINE_INVALID, PLAN_RECORD_BYTES, type PlanSummary, readPlanRecord } from '../../core/plan.ts';
import { RepeatFilter } from '../../core/repeat-filter.ts';
import { RepeatFinder } from '../../core/repeats.ts';
import { duplicateCustomId, parseRequestLine } from '../../core/validate-input.ts';
import type { FileStore } from '../../ports/files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import type { IdLog } from './id-log.ts';

const flagsOffset = 13;
/** Hashes that are compared in one pass over the log: they take 7 MB. */
const hashesPerPass = 400_000;
/** Lines that are looked at one by one; of those beyond it is trusted that equal hashes are equal ids. */
const suspectsMax = 1_000;

interface ObjectKeys {
  contentKey: string;
  planKey: string;
}

/** A line whose id has the hash of an earlier line's. Both are 0-based. */
interface Suspect {
  line: number;
  firstLine: number;
}

/**
 * Finds the lines whose custom_id an earlier line has, by the hashes in `ids` and, as far as they are to be reported
 * (`most` of them), by the lines themselves. They become invalid in the written plan. Answers the summary with them as
 * errors.
 */
export async function settleDuplicates(
  files: FileStore,
  keys: ObjectKeys,
  { plan, ids }: { plan: PlanSummary; ids: IdLog },
  most: number,
): Promise<PlanSummary> {
  const marks = await findRepeats(ids);
  if (marks.count === 0) return plan;
  const errors = await judge(files, keys, marks, most);
  const settled = await markInvalid(files, keys.planKey, marks, plan);
  return {
    ...settled,
    errors: [...plan.errors, ...errors].sort((a, b) => (a.line ?? 0) - (b.line ?? 0)).slice(0, most),
    errorCount: plan.errorCount + marks.count,
  };
}

/** Lines, one bit each, and the first of them with the line that each repeats. */
class Marks {
  count = 0;
  readonly #lines: number;
  #bits = new Uint8Array(0);
  #first: Suspect[] = [];

  constructor(lines: number) {
    this.#lines = lines;
  }

  /** The first suspects, in the order of lines. */
  get first(): Suspect[] {
    this.#first.sort((a, b) => a.line - b.line).splice(suspectsMax);
    return [...this.#first];
  }

  has(line: number): boolean {
    return ((this.#bits[line >> 3] ?? 0) & (1 << (line & 7))) !== 0;
  }

  add(line: number, firstLine: number): void {
    if (this.#bits.length === 0) this.#bits = new Uint8Array(Math.ceil(this.#lines / 8));
    this.#flip(line);
    this.count += 1;
    this.#first.push({ line, firstLine });
    // Passes find lines in no order between them.
    if (this.#first.length > 4 * suspectsMax) this.#first.sort((a, b) => a.line - b.line).splice(suspectsMax);
  }

  remove(line: number): void {
    this.#flip(line);
    this.count -= 1;
  }

  #flip(line: number): void {
    this.#bits[line >> 3] = (this.#bits[line >> 3] as number) ^ (1 << (line & 7));
  }
}

async function findRepeats(ids: IdLog): Promise<Marks> {
  const marks = new Marks(ids.lines);
  const filter = new RepeatFilter(ids.lines);
  for await (const records of ids.read()) filter.add(records);
  const finder = new RepeatFinder(filter, (line, firstLine) => marks.add(line, firstLine));
  const passes = Math.ceil(filter.suspects / hashesPerPass);
  for (let pass = 0; pass < passes; pass++) {
    finder.begin(pass, passes);
    for await (const records of ids.read()) finder.add(records);
  }
  finder.release();
  filter.release();
  return marks;
}

/** Looks at the first marked lines until `enough` true duplicates are known; unmarks those that only share a hash. */
async function judge(files: FileStore, keys: ObjectKeys, marks: Marks, enough: number): Promise<BatchError[]> {
  const duplicates: BatchError[] = [];
  /** First line of a hash → every id of that hash so far, with its line. */
  const known = new Map<number, Map<string, number>>();
  for (const { line, firstLine: first } of marks.first) {
    if (duplicates.length >= enough) break;
    let ids = known.get(first);
    if (ids === undefined) {
      ids = new Map([[await readCustomId(files, keys, first), first]]);
      known.set(first, ids);
    }
    const customId = await readCustomId(files, keys, line);
    const firstLine = ids.get(customId);
    if (firstLine !== undefined) duplicates.push(duplicateCustomId(line + 1, customId, firstLine + 1));
    else {
      ids.set(customId, line);
      marks.remove(line);
    }
  }
  return duplicates;
}

async function readCustomId(files: FileStore, keys: ObjectKeys, line: number): Promise<string> {
  const bytes = await files.readRange(keys.planKey, { offset: line * PLAN_RECORD_BYTES, length: PLAN_RECORD_BYTES });
  const { offset, length } = readPlanRecord(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  return parseRequestLine(await files.readRange(keys.contentKey, { offset, length })).customId;
}

/** Rewrites a plan so that the marked lines are invalid; answers its summary without them. */
async function markInvalid(files: FileStore, planKey: string, marks: Marks, plan: PlanSummary): Promise<PlanSummary> {
  const models = plan.models.map((model) => ({ ...model }));
  const endpoints = plan.endpoints.map((endpoint) => ({ ...endpoint }));
  const writer = await files.create(planKey);
  try {
    const blockBytes = PLAN_RECORD_BYTES * 16_384;
    for (let line = 0; line < plan.lines; ) {
      const bytes = await files.readRange(planKey, { offset: line * PLAN_RECORD_BYTES, length: blockBytes });
      const copy = new DataView(Uint8Array.from(bytes).buffer);
      for (let index = 0; index < copy.byteLength / PLAN_RECORD_BYTES; index++, line++) {
        if (!marks.has(line)) continue;
        const record = readPlanRecord(copy, index);
        for (const counted of [models[record.model], endpoints[record.endpoint]]) if (counted) counted.count -= 1;
        copy.setUint8(index * PLAN_RECORD_BYTES + flagsOffset, LINE_INVALID);
      }
      await writer.write(new Uint8Array(copy.buffer));
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return { ...plan, requests: plan.requests - marks.count, models, endpoints };
}
