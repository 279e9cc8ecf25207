import { PLAN_RECORD_BYTES } from '../../core/plan.ts';
import type { FileStore } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';

/** Plan records looked at together: one megabyte. */
export const WINDOW_LINES = 65_536;

type PlanDeps = { files: Pick<FileStore, 'readRange'> };

/** Records of a plan that follow each other. */
export interface PlanWindow {
  /** 0-based line of the first record. */
  first: number;
  count: number;
  view: DataView;
}

/** The plan of `lines` lines, window by window. Each is read into the memory of the one before it. */
export async function* planWindows(deps: PlanDeps, input: FileRow, lines: number): AsyncGenerator<PlanWindow> {
  // As garbage, the windows of a large file would add up to twenty times of one.
  const memory = new Uint8Array(Math.min(WINDOW_LINES, lines) * PLAN_RECORD_BYTES);
  for (let first = 0; first < lines; first += WINDOW_LINES) {
    const count = Math.min(WINDOW_LINES, lines - first);
    yield { first, count, view: await readPlan(deps, input, first, count, memory) };
  }
}

/** The plan's records of `count` lines from 0-based `first`; in `memory`, where the store would make some for them. */
export async function readPlan(
  deps: PlanDeps,
  input: FileRow,
  first: number,
  count: number,
  memory?: Uint8Array,
): Promise<DataView> {
  const range = { offset: first * PLAN_RECORD_BYTES, length: count * PLAN_RECORD_BYTES };
  const bytes = await deps.files.readRange(input.planKey ?? '', range, memory);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
