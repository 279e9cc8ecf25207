import { PLAN_RECORD_BYTES } from '../../core/plan.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import { readLeft } from '../results/read-index.ts';
import { type LocatedRecords, type PartReader, WINDOW_LINES } from './part-reader.ts';

interface WindowsOf {
  batch: BatchRow;
  input: FileRow;
  reader: PartReader;
}

/** Of no lane, where the lanes cannot be read. */
const NO_LANE = 0xff;

/** Lines that are looked at together, from `first` to `last`. */
export interface LinesWindow {
  first: number;
  last: number;
  located: LocatedRecords;
  plan: DataView;
  lanes: DataView | null;
}

async function openWindow(
  deps: Deps,
  { batch, input, reader }: WindowsOf,
  { first, last }: { first: number; last: number },
): Promise<LinesWindow> {
  const located = await reader.locate(deps.store.segments, batch.id, first, last);
  const read = async (key: string, recordBytes: number, filler: number): Promise<DataView> => {
    const wanted = (last - first + 1) * recordBytes;
    const found = await readLeft(deps.files, key, { offset: first * recordBytes, length: wanted });
    if (found.byteLength === wanted) return new DataView(found.buffer, found.byteOffset, wanted);
    reader.meetDamage(key);
    const filled = new Uint8Array(wanted).fill(filler);
    filled.set(found);
    return new DataView(filled.buffer);
  };
  const [plan, lanes] = await Promise.all([
    // A line without a record counts as a request that cannot be read.
    read(input.planKey ?? '', PLAN_RECORD_BYTES, 0),
    batch.lanesKey === null ? null : read(batch.lanesKey, 2, NO_LANE),
  ]);
  return { first, last, located, plan, lanes };
}

/**
 * A batch's lines in input order, in windows: where the results of each stand is in memory, once it comes. With a reader
 * that goes forward, the next one is on its way meanwhile. `to`: exclusive.
 */
export async function* lineWindows(
  deps: Deps,
  of: WindowsOf,
  { from, to }: { from: number; to: number },
): AsyncGenerator<LinesWindow> {
  const open = (first: number) => openWindow(deps, of, { first, last: Math.min(to, first + WINDOW_LINES) - 1 });
  let coming: Promise<LinesWindow> | null = null;
  for (let first = from; first < to; first += WINDOW_LINES) {
    const window: LinesWindow = await (coming ?? open(first));
    const next = first + WINDOW_LINES;
    coming = of.reader.forward && next < to ? open(next) : null;
    // Who goes on to it is told; nobody may.
    coming?.catch(() => undefined);
    of.reader.goTo(window.located);
    yield window;
  }
}
