import { resumeAt, type Unfit, unfitWarning } from '../../core/healing.ts';
import { laneFrom, type RunLane } from '../../core/lane.ts';
import { RequestReader } from '../../core/request-outline.ts';
import { estimateLineTokens } from '../../core/tokens.ts';
import type { Deps } from '../../ports/deps.ts';
import type { SegmentLease } from '../../ports/store-segments.ts';
import { laneLines } from '../batches/lane-lines.ts';
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

interface PendingLine {
  line: number;
  position: number;
  offset: number;
  length: number;
}

interface LoadedLine {
  pending: PendingLine;
  bytes: Uint8Array;
}

/** What earlier leases and provider batches did for lines that have no result yet, by 1-based line. */
interface Past {
  /** Attempts that reached a provider. */
  attempts: Map<number, number>;
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

  private readonly sendWindow: SendWindow;
  /** What was granted when it last starved. */
  private starvedAt = 0;
  private readonly pending: PendingLine[];
  private next = 0;
  /** Lines that were read, from `nextLoaded` on; before them, those that are parsed already. */
  private loaded: LoadedLine[] = [];
  private nextLoaded = 0;
  private readonly parsed: Job[] = [];
  private parsedTokens = 0;
  private parsedLines = 0;
  /** Attempts in the ledger, by line as the ledger counts them. */
  private readonly attempts: Map<number, number>;
  private readonly unfit: ReadonlyMap<number, Unfit[]>;
  private readonly requests = new RequestReader();

  private constructor(
    lease: SegmentLease,
    batch: BatchInHand,
    lane: RunLane,
    pending: PendingLine[],
    { attempts, unfit }: Past,
    sendWindow: SendWindow,
    size: number,
  ) {
    this.size = size;
    this.sendWindow = sendWindow;
    this.lease = lease;
    this.batch = batch;
    this.lane = lane;
    this.pending = pending;
    this.attempts = attempts;
    this.unfit = unfit;
    this.remaining = pending.length;
  }

  /** Reads which lines are the segment's own and have no committed result. */
  static async open(deps: Deps, lease: SegmentLease, batch: BatchInHand, sendWindow: SendWindow): Promise<OpenSegment> {
    const lane = batch.row.lanes[lease.lane];
    if (lane?.kind !== 'run') throw new Error(`segment ${lease.id} names lane ${lease.lane}, which runs nothing`);
    const own = await ownLines(deps, lease, batch);
    const done = lease.resumed ? await committedLines(deps, lease) : new Set<number>();
    const past = lease.resumed ? await pastOf(deps, lease, lane) : { attempts: new Map(), unfit: new Map() };
    return new OpenSegment(
      lease,
      batch,
      laneFrom(lane, lease.candidate),
      own.filter((line) => !done.has(line.line)),
      past,
      sendWindow,
      own.length,
    );
  }

  get window(): number {
    return this.sendWindow.lines;
  }

  starved(): void {
    // Once for each grant: before the first there was nothing to outrun.
    if (this.granted === this.starvedAt) return;
    this.starvedAt = this.granted;
    this.sendWindow.widen();
  }

  get undispatched(): number {
    return this.parsed.length + this.unparsed + this.pending.length - this.next;
  }

  get wantsLoad(): boolean {
    return !this.loading && !this.closed && this.unparsed < CHUNK_LINES / 2 && this.next < this.pending.length;
  }

  private get unparsed(): number {
    return this.loaded.length - this.nextLoaded;
  }

  get cursor(): number {
    const next = this.parsed[0] ?? this.loaded[this.nextLoaded]?.pending ?? this.pending[this.next];
    return next?.position ?? this.size;
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
    const end = Math.min(this.loaded.length, this.nextLoaded + count);
    while (this.nextLoaded < end) {
      const line = this.loaded[this.nextLoaded];
      if (line === undefined) break;
      const job = this.toJob(line);
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
    const count = this.pending.filter(({ position }) => position < this.lease.granted).length;
    for (let next = 0; next < count; ) {
      const chunk = this.chunkFrom(next).slice(0, count - next);
      for (const line of await this.read(deps, chunk)) {
        const job = this.toJob(line);
        job.attempts += 1;
        this.attempts.set(job.line + 1, job.attempts);
        doubts.push(job);
      }
      next += chunk.length;
    }
    return doubts;
  }

  /** Reads the next chunk of lines. */
  async load(deps: Pick<Deps, 'files'>): Promise<void> {
    this.loading = true;
    try {
      const chunk = this.chunkFrom(this.next);
      const lines = await this.read(deps, chunk);
      this.loaded = this.unparsed === 0 ? lines : [...this.loaded.slice(this.nextLoaded), ...lines];
      this.nextLoaded = 0;
      this.next += chunk.length;
    } finally {
      this.loading = false;
    }
  }

  private async read(deps: Pick<Deps, 'files'>, chunk: readonly PendingLine[]): Promise<LoadedLine[]> {
    const first = chunk[0];
    const last = chunk.at(-1);
    if (!first || !last) return [];
    const bytes = await deps.files.readRange(this.batch.input.contentKey, {
      offset: first.offset,
      length: last.offset + last.length - first.offset,
    });
    return chunk.map((pending) => {
      const at = pending.offset - first.offset;
      return { pending, bytes: bytes.subarray(at, at + pending.length) };
    });
  }

  private chunkFrom(next: number): PendingLine[] {
    const chunk: PendingLine[] = [];
    const start = this.pending[next]?.offset ?? 0;
    for (let index = next; index < this.pending.length && chunk.length < CHUNK_LINES; index++) {
      const line = this.pending[index];
      if (!line || (chunk.length > 0 && line.offset + line.length - start > CHUNK_BYTES)) break;
      chunk.push(line);
    }
    return chunk;
  }

  private toJob({ pending: line, bytes }: LoadedLine): Job {
    const request = this.requests.read(bytes);
    const unfit = this.unfit.get(line.line + 1) ?? [];
    return {
      segment: this,
      line: line.line,
      position: line.position,
      request,
      tokens: estimateLineTokens(request, line.length),
      boundNano: null,
      candidates: this.lane.candidates,
      progress: { candidate: resumeAt(this.lane.candidates, unfit), tries: 0, pressure: 0 },
      unfit: [...unfit],
      spare: null,
      atMaximum: [],
      attempts: this.attempts.get(line.line + 1) ?? 0,
      booking: null,
      warnings: unfit.map(unfitWarning),
      costNano: 0,
    };
  }
}

async function pastOf(deps: Deps, { batchId, firstLine, lastLine }: SegmentLease, lane: RunLane): Promise<Past> {
  const { ledger } = deps.store;
  const heals = lane.candidates.some(({ healing }) => healing !== undefined);
  const [attempts, unfit] = await Promise.all([
    ledger.attempts(batchId, firstLine + 1, lastLine + 1),
    heals ? ledger.unfit(batchId, firstLine + 1, lastLine + 1) : new Map<number, Unfit[]>(),
  ]);
  return { attempts, unfit };
}

async function ownLines(deps: Deps, lease: SegmentLease, { row: batch, input }: BatchInHand): Promise<PendingLine[]> {
  const own = await laneLines(deps, { batch, input }, lease);
  return own.map((line, position) => ({ ...line, position }));
}
