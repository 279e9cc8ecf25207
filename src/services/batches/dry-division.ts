import { Buffer } from 'node:buffer';
import type { Candidate, Lane } from '../../core/lane.ts';
import type { PlanSummary } from '../../core/plan.ts';
import type { LaneAssigner } from '../../core/routing.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileStore } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { SegmentRow } from '../../ports/store-segments.ts';
import type { ShardRow } from '../../ports/store-shards.ts';
import { type DividedBatch, divide } from './divide.ts';

/** How a line goes out first: to a candidate of its lane, by a provider batch or singly. */
export interface LinePlace {
  lane: Lane;
  /** Number of the lane. */
  number: number;
  candidate: number;
  mode: 'batch' | 'immediate';
}

type Piece = Pick<SegmentRow, 'lane' | 'candidate' | 'firstLine' | 'lastLine'> & { mode: LinePlace['mode'] };

/** The division that a batch would get, made by the same code and kept nowhere. */
export class DryDivision {
  private readonly numbers: Buffer;
  private readonly lanes: readonly Lane[];
  /** By lane, in order of lines, with how many of them are behind. */
  private readonly pieces = new Map<number, { list: Piece[]; at: number }>();

  constructor(numbers: Buffer, lanes: readonly Lane[], pieces: readonly Piece[]) {
    this.numbers = numbers;
    this.lanes = lanes;
    for (const piece of pieces.toSorted((left, right) => left.firstLine - right.firstLine)) {
      const known = this.pieces.get(piece.lane);
      if (known) known.list.push(piece);
      else this.pieces.set(piece.lane, { list: [piece], at: 0 });
    }
  }

  /** Every candidate that a line may go to first. */
  candidates(): Candidate[] {
    return this.lanes.flatMap((lane) => (lane.kind === 'run' ? lane.candidates : []));
  }

  /** The lane of 0-based `line`, a request. */
  laneOf(line: number): { number: number; lane: Lane } {
    const number = this.numbers.readUInt16LE(line * 2);
    const lane = this.lanes[number];
    if (lane === undefined) throw new Error(`there is no lane ${number}`);
    return { number, lane };
  }

  /** Where 0-based `line`, a request, goes. Lines must be asked for in the order of the file. */
  place(line: number): LinePlace {
    const { number, lane } = this.laneOf(line);
    const pieces = this.pieces.get(number);
    while (pieces && (pieces.list[pieces.at]?.lastLine ?? line) < line) pieces.at += 1;
    const piece = pieces?.list[pieces.at];
    return { lane, number, candidate: piece?.candidate ?? 0, mode: piece?.mode ?? 'immediate' };
  }
}

/** Divides the lines of a file as `divide` does for a batch; nothing is stored. */
export async function divideDry(
  deps: Deps,
  batch: DividedBatch,
  input: FileRow,
  plan: PlanSummary,
  assigner: LaneAssigner,
): Promise<DryDivision> {
  const chunks: Uint8Array[] = [];
  const pieces: Piece[] = [];
  const keep = (mode: Piece['mode']) => async (rows: readonly (SegmentRow | ShardRow)[]) => {
    for (const { lane, candidate, firstLine, lastLine } of rows) {
      pieces.push({ lane, candidate, firstLine, lastLine, mode });
    }
  };
  const writer = {
    write: async (chunk: Uint8Array) => void chunks.push(chunk),
    close: () => Promise.resolve(),
    abort: () => Promise.resolve(),
  };
  const files: Pick<FileStore, 'create' | 'readRange'> = {
    create: () => Promise.resolve(writer),
    readRange: (key, range, into) => deps.files.readRange(key, range, into),
  };
  const store = { segments: { insertMany: keep('immediate') }, shards: { insertMany: keep('batch') } };
  const { providers, settings, clock } = deps;
  const { lanes } = await divide({ providers, settings, clock, files, store }, batch, input, plan, assigner);
  return new DryDivision(Buffer.concat(chunks), lanes, pieces);
}
