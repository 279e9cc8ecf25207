import { resumeAt, type Unfit, unfitWarning } from '../../core/healing.ts';
import { laneFrom, type RunLane } from '../../core/lane.ts';
import { RequestReader } from '../../core/request-outline.ts';
import { estimateLineTokens } from '../../core/tokens.ts';
import type { Deps } from '../../ports/deps.ts';
import type { LineTotal } from '../../ports/store-ledger.ts';
import type { SegmentLease } from '../../ports/store-segments.ts';
import { type LanePlaces, lanePlaces } from '../batches/lane-lines.ts';
import { committedLines } from '../results/committed-lines.ts';
import type { SendWindow } from './windows.ts';
import type { BatchInHand, Job, SegmentInHand } from './work.ts';

/** Lines are read from the input in chunks of at most this, unless one line alone is longer. */
const CHUNK_BYTES = 256 * 1024;
const CHUNK_LINES = 512;
/** A line of more than so many times the average tokens is out of the ordinary. */
const OVERSIZE = 4;
/** Lines read ahead stay bytes until so many before they are sent: thousands of parsed ones would only grow old. */
const PARSED_AHEAD = 32;

/** Lines that were read together. */
interface Chunk {
  bytes: Uint8Array;
  /** Where the bytes begin in the input. */
  offset: number;
  /** Which of the pending lines, the last one exclusive. */
  from: number;
  to: number;
}

/** What earlier leases and provider batches did for lines that have no result yet, by 1-based line. */
interface Past {
  /** Attempts that reached a provider, and what they cost. */
  spent: Map<number, LineTotal>;
  /** Answers that were not taken. */
  unfit: ReadonlyMap<number, Unfit[]>;
}

/** A leased segment: which of its lines still need a result, and the next few of them ready to send. */
export class OpenSegment implements SegmentInHand {
  readonly lease: SegmentLease;
  readonly batch: BatchInHand;
  readonly lane: RunLane;
  granted = 0;
  readonly size: number;
  remaining: number;
  outstanding = 0;
  closed = false;
  lost = false;
  loading = false;

  readonly window: SendWindow;
  private readonly places: LanePlaces;
  /** Those of its lines that have no result yet, by their position; null where that is all of them. */
  private readonly left: Uint32Array | null;
  private readonly pending: number;
  /** The next of the pending lines that is to be read; before it, from `nextLoaded` on, those that were. */
  private next = 0;
  private nextLoaded = 0;
  private readonly chunks: Chunk[] = [];
  private readonly parsed: Job[] = [];
  private parsedTokens = 0;
  private parsedLines = 0;
  /** What the ledger has of its lines, by line as the ledger counts them. */
  private readonly spent: Map<number, LineTotal>;
  private readonly unfit: ReadonlyMap<number, Unfit[]>;
  private readonly requests = new RequestReader();

  private constructor(
    lease: SegmentLease,
    batch: BatchInHand,
    lane: RunLane,
    places: LanePlaces,
    done: ReadonlySet<number>,
    { spent, unfit }: Past,
    window: SendWindow,
  ) {
    this.size = places.count;
    this.window = window;
    this.lease = lease;
    this.batch = batch;
    this.lane = lane;
    this.places = places;
    this.left = done.size === 0 ? null : withoutDone(places, done);
    this.pending = this.left?.length ?? places.count;
    this.spent = spent;
    this.unfit = unfit;
    this.remaining = this.pending;
  }

  /** Reads which lines are the segment's own and have no committed result. */
  static async open(deps: Deps, lease: SegmentLease, batch: BatchInHand, window: SendWindow): Promise<OpenSegment> {
    const lane = batch.row.lanes[lease.lane];
    if (lane?.kind !== 'run') throw new Error(`segment ${lease.id} names lane ${lease.lane}, which runs nothing`);
    const places = await lanePlaces(deps, { batch: batch.row, input: batch.input }, lease);
    const done = lease.resumed ? await committedLines(deps, lease) : new Set<number>();
    const past = lease.resumed ? await pastOf(deps, lease, lane) : { spent: new Map(), unfit: new Map() };
    return new OpenSegment(lease, batch, laneFrom(lane, lease.candidate), places, done, past, window);
  }

  reach(lines: number): number {
    const end = this.sent + lines;
    return end < this.pending ? this.position(end) : this.size;
  }

  unsent(granted: number): number {
    const before = this.left === null ? granted : countBelow(this.left, granted);
    return Math.max(0, Math.min(before, this.pending) - this.sent);
  }

  /** Pending lines that were taken; most of them are the first. */
  private get sent(): number {
    return this.pending - this.undispatched;
  }

  get undispatched(): number {
    return this.parsed.length + this.pending - this.nextLoaded;
  }

  get wantsLoad(): boolean {
    return !this.loading && !this.closed && this.unparsed < CHUNK_LINES / 2 && this.next < this.pending;
  }

  private get unparsed(): number {
    return this.next - this.nextLoaded;
  }

  get cursor(): number {
    const [first] = this.parsed;
    if (first !== undefined) return first.position;
    return this.nextLoaded < this.pending ? this.position(this.nextLoaded) : this.size;
  }

  /** Position of one of the pending lines among all of the segment. */
  private position(index: number): number {
    return this.left === null ? index : (this.left[index] ?? this.size);
  }

  /**
   * The job to send next within the grant; undefined when there is none. Ordinary lines do not wait behind one that is
   * many times larger: that one goes when no other is left in the grant.
   */
  ready(): Job | undefined {
    if (this.closed || this.cursor >= this.granted) return undefined;
    try {
      if (this.parsed.length === 0) this.parse(PARSED_AHEAD);
      const [first] = this.parsed;
      if (!first || first.tokens <= this.ordinaryTokens) return first;
      this.parse(this.unparsed);
      const ordinary = this.ordinaryTokens;
      return this.parsed.find((job) => job.position < this.granted && job.tokens <= ordinary) ?? first;
    } catch (error) {
      this.batch.results.failLoading(this, error);
      return undefined;
    }
  }

  /** Takes a job that was ready. */
  take(job: Job): void {
    this.outstanding += 1;
    if (this.parsed[0] === job) this.parsed.shift();
    else this.parsed.splice(this.parsed.indexOf(job), 1);
  }

  private get ordinaryTokens(): number {
    return (OVERSIZE * this.parsedTokens) / this.parsedLines;
  }

  private parse(count: number): void {
    const end = Math.min(this.next, this.nextLoaded + count);
    while (this.nextLoaded < end) {
      const [chunk] = this.chunks;
      if (chunk === undefined) break;
      if (this.nextLoaded >= chunk.to) {
        this.chunks.shift();
        continue;
      }
      const job = this.toJob(chunk, this.nextLoaded);
      this.nextLoaded += 1;
      this.parsed.push(job);
      this.parsedTokens += job.tokens;
      this.parsedLines += 1;
    }
  }

  /**
   * The lines that the lease before this one may have sent without saying what became of them, each with that attempt
   * counted. To be entered in the ledger before anything is sent: the first grant of this lease forgets them.
   */
  async takeDoubts(deps: Deps): Promise<Job[]> {
    const doubts: Job[] = [];
    let count = 0;
    while (count < this.pending && this.position(count) < this.lease.granted) count += 1;
    for (let next = 0; next < count; ) {
      const chunk = await this.read(deps, next);
      for (; next < Math.min(chunk.to, count); next++) {
        const job = this.toJob(chunk, next);
        job.attempts += 1;
        this.spent.set(job.line + 1, { attempts: job.attempts, amountNano: job.costNano });
        doubts.push(job);
      }
    }
    return doubts;
  }

  /** Reads the next chunk of lines. */
  async load(deps: Pick<Deps, 'files'>): Promise<void> {
    this.loading = true;
    try {
      const chunk = await this.read(deps, this.next);
      this.chunks.push(chunk);
      this.next = chunk.to;
    } finally {
      this.loading = false;
    }
  }

  /** Reads lines from the pending one `from` on. */
  private async read(deps: Pick<Deps, 'files'>, from: number): Promise<Chunk> {
    if (from >= this.pending) return { bytes: new Uint8Array(0), offset: 0, from, to: from };
    const offset = this.places.offset(this.position(from));
    let end = this.endOf(from);
    let to = from + 1;
    while (to < this.pending && to - from < CHUNK_LINES && this.endOf(to) - offset <= CHUNK_BYTES) {
      end = this.endOf(to);
      to += 1;
    }
    const bytes = await deps.files.readRange(this.batch.input.contentKey, { offset, length: end - offset });
    return { bytes, offset, from, to };
  }

  /** Where one of the pending lines ends in the input. */
  private endOf(index: number): number {
    const position = this.position(index);
    return this.places.offset(position) + this.places.length(position);
  }

  private toJob({ bytes, offset }: Chunk, index: number): Job {
    const position = this.position(index);
    const line = this.places.line(position);
    const length = this.places.length(position);
    const at = this.places.offset(position) - offset;
    const request = this.requests.read(bytes.subarray(at, at + length));
    const unfit = this.unfit.get(line + 1) ?? [];
    const spent = this.spent.get(line + 1);
    return {
      segment: this,
      line,
      position,
      request,
      tokens: estimateLineTokens(request, length),
      boundNano: null,
      candidates: this.lane.candidates,
      progress: { candidate: resumeAt(this.lane.candidates, unfit), tries: 0, pressure: 0 },
      unfit: [...unfit],
      spare: null,
      usedTokens: 0,
      atMaximum: [],
      attempts: spent?.attempts ?? 0,
      booking: null,
      warnings: unfit.map(unfitWarning),
      costNano: spent?.amountNano ?? 0,
    };
  }
}

async function pastOf(deps: Deps, { batchId, firstLine, lastLine }: SegmentLease, lane: RunLane): Promise<Past> {
  const { ledger } = deps.store;
  const heals = lane.candidates.some(({ healing }) => healing !== undefined);
  const [spent, unfit] = await Promise.all([
    ledger.spent(batchId, firstLine + 1, lastLine + 1),
    heals ? ledger.unfit(batchId, firstLine + 1, lastLine + 1) : new Map<number, Unfit[]>(),
  ]);
  return { spent, unfit };
}

/** The positions of lines without a result. */
function withoutDone(places: LanePlaces, done: ReadonlySet<number>): Uint32Array {
  const left = new Uint32Array(places.count);
  let count = 0;
  for (let position = 0; position < places.count; position++) {
    if (!done.has(places.line(position))) left[count++] = position;
  }
  return left.slice(0, count);
}

/** How many of ascending numbers are below `limit`. */
function countBelow(numbers: Uint32Array, limit: number): number {
  let low = 0;
  for (let high = numbers.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
