import { Buffer } from 'node:buffer';
import { PLAN_RECORD_BYTES } from '../../core/plan.ts';
import type { FileStore } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';

/** Plan records looked at together: one megabyte. */
export const WINDOW_LINES = 65_536;

/** The plan's records of `count` lines from 0-based `first`. */
export async function readPlan(
  deps: { files: Pick<FileStore, 'readRange'> },
  input: FileRow,
  first: number,
  count: number,
): Promise<DataView> {
  const bytes = Buffer.from(
    await deps.files.readRange(input.planKey ?? '', {
      offset: first * PLAN_RECORD_BYTES,
      length: count * PLAN_RECORD_BYTES,
    }),
  );
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
