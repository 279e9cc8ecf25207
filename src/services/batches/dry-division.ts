import { Buffer } from 'node:buffer';
import type { Candidate, Lane } from '../../core/lane.ts';
import type { PlanSummary } from '../../core/plan.ts';
import type { LaneAssigner } from '../../core/routing.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileStore } from '../../ports/files.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { SegmentRow } from '../../ports/store-segments.ts';
import type { ShardRow } from '../../ports/store-shards.ts';
import { type DivideDeps, type DividedBatch, divide } from './divide.ts';

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

/** What a division makes, in memory: an estimate keeps it nowhere else, a batch that begins stores the rows when it starts. */
export class DivisionRecord {
  readonly segments: SegmentRow[] = [];
  readonly shards: ShardRow[] = [];
  private readonly chunks: Uint8Array[] = [];

  /** Services for a division that is only kept here. */
  alone(deps: DivisionDeps): DivideDeps {
    const writer = {
      write: async (chunk: Uint8Array) => void this.chunks.push(chunk),
      close: () => Promise.resolve(),
      abort: () => Promise.resolve(),
    };
    return this.depsWith(deps, {
      create: () => Promise.resolve(writer),
      put: async (_, bytes) => void this.chunks.push(bytes),
    });
  }

  /** Services for a division whose lanes are stored, too; its rows are not. */
  beside(deps: DivisionDeps & { files: DivideDeps['files'] }): DivideDeps {
    const { files } = deps;
    return this.depsWith(deps, {
      create: async (key) => {
        const writer = await files.create(key);
        const write = (chunk: Uint8Array): Promise<void> => {
          this.chunks.push(chunk);
          return writer.write(chunk);
        };
        return { write, close: () => writer.close(), abort: () => writer.abort() };
      },
      put: (key, bytes) => {
        // The store is given the bytes away.
        this.chunks.push(new Uint8Array(bytes));
        return files.put(key, bytes);
      },
    });
  }

  /** What was divided, with the lanes that came of it. */
  division(lanes: readonly Lane[]): DryDivision {
    const pieces = [
      ...this.segments.map((row) => ({ ...row, mode: 'immediate' as const })),
      ...this.shards.map((row) => ({ ...row, mode: 'batch' as const })),
    ];
    return new DryDivision(Buffer.concat(this.chunks), lanes, pieces);
  }

  private depsWith(
    { providers, settings, clock, files }: DivisionDeps,
    writing: Pick<FileStore, 'create' | 'put'>,
  ): DivideDeps {
    const readRange: FileStore['readRange'] = (key, range, into) => files.readRange(key, range, into);
    const into = <Row>(kept: Row[]) => ({ insertMany: async (rows: readonly Row[]) => void kept.push(...rows) });
    const store = { segments: into(this.segments), shards: into(this.shards) };
    return { providers, settings, clock, files: { ...writing, readRange }, store };
  }
}

type DivisionDeps = Pick<Deps, 'providers' | 'settings' | 'clock'> & { files: Pick<FileStore, 'readRange'> };

/** Divides the lines of a file as `divide` does for a batch; nothing is stored. */
export async function divideDry(
  deps: Deps,
  batch: DividedBatch,
  input: FileRow,
  plan: PlanSummary,
  assigner: LaneAssigner,
): Promise<DryDivision> {
  const record = new DivisionRecord();
  const { lanes } = await divide(record.alone(deps), batch, input, plan, assigner);
  return record.division(lanes);
}
