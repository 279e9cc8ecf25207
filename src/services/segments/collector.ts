/**
 * Makes results durable in groups. Order of a commit: the part is written and synced, then one write holds part row,
 * ledger entries, rollups and progress. What is not committed did not happen: the lease's successor runs it again.
 */
import { batchUsageOf } from '../../core/usage.ts';
import { steadyMs, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BusyTime } from '../../ports/in-flight.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import type { PartRow } from '../../ports/store-segments.ts';
import { writePart } from '../results/write-part.ts';
import { grantsOf } from './grants.ts';
import type { BatchInHand, FinishedLine, Results, SegmentInHand } from './work.ts';

const RETRY_MS_MAX = 5_000;

interface Group {
  lines: FinishedLine[];
  /** Entries of attempts that did not decide their line. */
  entries: { segment: SegmentInHand; entry: LedgerEntryRow }[];
  /** What goes on once those entries are durable. */
  resumes: { segment: SegmentInHand; resume: () => void }[];
  bytes: number;
  touched: Set<SegmentInHand>;
  givenUp: SegmentInHand[];
  /** Somebody waits for this commit before sending more. */
  urgent: boolean;
  /** Written once per group: a commit whose answer was lost is repeated under the same key, and then known. */
  part: PartRow | null;
  busy: BusyTime | null;
}

const newGroup = (): Group => ({
  lines: [],
  entries: [],
  resumes: [],
  bytes: 0,
  touched: new Set(),
  givenUp: [],
  urgent: false,
  part: null,
  busy: null,
});

export class Collector implements Results {
  /** Results waiting to become durable. */
  uncommitted = 0;

  private readonly deps: Deps;
  private readonly batch: BatchInHand;
  private readonly partName: () => string;
  private readonly onCommitted: () => void;
  private group = newGroup();
  /** Segments that lack a grant, which the commit under way may give them. */
  private readonly wanting = new Set<SegmentInHand>();
  private flushing: Promise<void> | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(deps: Deps, batch: BatchInHand, partName: () => string, onCommitted: () => void) {
    this.deps = deps;
    this.batch = batch;
    this.partName = partName;
    this.onCommitted = onCommitted;
  }

  finish(line: FinishedLine): void {
    this.group.lines.push(line);
    this.group.bytes += line.record.length;
    this.group.touched.add(line.segment);
    this.uncommitted += 1;
    this.batch.allowance.uncommitted += line.entry?.amountNano ?? 0;
    // With nothing else under way there is nothing to wait for.
    if (this.uncommitted >= this.batch.remaining) this.group.urgent = true;
    this.schedule();
  }

  record(segment: SegmentInHand, entry: LedgerEntryRow, resume: () => void): void {
    // The line stays outstanding until then: without its lease a segment commits nothing any more.
    this.group.entries.push({ segment, entry });
    this.batch.allowance.uncommitted += entry.amountNano ?? 0;
    this.group.resumes.push({ segment, resume });
    this.group.touched.add(segment);
    this.schedule();
  }

  giveUp(segment: SegmentInHand, entry: LedgerEntryRow | null): void {
    if (entry) {
      this.group.entries.push({ segment, entry });
      this.batch.allowance.uncommitted += entry.amountNano ?? 0;
    }
    this.group.givenUp.push(segment);
    this.group.touched.add(segment);
    this.schedule();
  }

  requestGrant(segment: SegmentInHand, doubts: readonly LedgerEntryRow[] = []): void {
    for (const entry of doubts) this.group.entries.push({ segment, entry });
    this.group.touched.add(segment);
    this.group.urgent = true;
    this.flushSoon();
  }

  wantGrant(segment: SegmentInHand): void {
    if (this.flushing === null) this.requestGrant(segment);
    else this.wanting.add(segment);
  }

  requestAllowance(segment: SegmentInHand): void {
    this.group.touched.add(segment);
    this.group.urgent = true;
    this.flushSoon();
  }

  failLoading(segment: SegmentInHand, error: unknown): void {
    segment.closed = true;
    this.deps.log.error(
      { batch: this.batch.row.id, segment: segment.lease.id, error: String(error) },
      'input unreadable',
    );
    this.batch.noteUnreadable(error);
    setTimeout(this.onCommitted, 1_000).unref?.();
  }

  /** Commits what is there, and what arrives meanwhile, until nothing is left. */
  async drain(): Promise<void> {
    while (this.flushing || this.group.touched.size > 0) await (this.flushing ?? this.flush());
  }

  /** Commits what is there without waiting for more. */
  hurry(): void {
    if (this.group.lines.length > 0) this.flushSoon();
  }

  private schedule(): void {
    const { partDelayMs } = this.deps.settings;
    if (this.isDue) {
      this.flushSoon();
    } else if (this.timer === null) {
      this.timer = setTimeout(() => {
        // A commit may be under way; its end then looks for what came meanwhile, and must not take this for a timer.
        this.timer = null;
        this.flushSoon();
      }, partDelayMs);
    }
  }

  private get isDue(): boolean {
    const { partLines, partBytes } = this.deps.settings;
    const { lines, bytes, urgent } = this.group;
    return urgent || lines.length >= partLines || bytes >= partBytes;
  }

  private flushSoon(): void {
    if (this.flushing === null) void this.flush();
  }

  private flush(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const group = this.group;
    this.group = newGroup();
    this.flushing = this.commitUntilDone(group).finally(() => {
      this.flushing = null;
      this.uncommitted -= group.lines.length;
      this.requestWanted();
      this.onCommitted();
      if (this.group.touched.size > 0) this.schedule();
    });
    return this.flushing;
  }

  /** Asks for what the commit that ended did not grant. */
  private requestWanted(): void {
    const still = [...this.wanting].filter(
      ({ closed, cursor, granted, size }) => !closed && cursor >= granted && cursor < size,
    );
    this.wanting.clear();
    for (const segment of still) this.requestGrant(segment);
  }

  /** A disk that is full or a database that is away holds results back; it does not lose them. */
  private async commitUntilDone(group: Group): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.commit(group);
      } catch (error) {
        this.deps.log.error({ batch: this.batch.row.id, error: String(error) }, 'commit failed, trying again');
        await this.deps.clock.sleep(Math.min(RETRY_MS_MAX, 100 * 2 ** Math.min(tries, 10)));
      }
    }
  }

  private async commit(group: Group): Promise<void> {
    while (group.touched.size > 0) {
      if (group.part === null && group.lines.length > 0) {
        group.busy ??= this.deps.inFlight?.takeBusy(this.batch.row.id) ?? null;
        const part = await writePart(this.deps, this.batch.row.id, this.partName(), group.lines);
        group.part = { ...part, ...group.busy };
      }
      const grants = grantsOf(this.batch.segments, group.touched);
      const segments = [...grants];
      for (const segment of grants.keys()) group.touched.add(segment);
      const done = countBySegment(group.lines);
      const now = unixSeconds(this.deps.clock);
      const nowMs = steadyMs(this.deps.clock);
      const { allowance } = this.batch;
      const amount = amountOf(group.entries, group.lines);
      const { leaseSeconds } = this.deps.settings;
      const outcome = await this.deps.store.segments.commit({
        batchId: this.batch.row.id,
        now,
        leaseUntil: now + leaseSeconds,
        part: group.part,
        segments: segments.map(([segment, granted]) => ({
          id: segment.lease.id,
          token: segment.lease.token,
          granted,
          finished: segment.remaining === (done.get(segment) ?? 0),
        })),
        // A line's earlier tries come first, as they did.
        entries: [...group.entries.map(({ entry }) => entry), ...group.lines.flatMap((line) => line.entry ?? [])],
        completed: group.lines.filter((line) => line.succeeded).length,
        failed: group.lines.filter((line) => !line.succeeded).length,
        usage: batchUsageOf(group.lines.map((line) => line.usage)),
        allowance: allowance.ask(amount, this.batch.undispatched, nowMs),
      });
      if (outcome.ok) {
        for (const [segment, granted] of segments) {
          const count = done.get(segment) ?? 0;
          segment.granted = Math.max(segment.granted, granted);
          segment.remaining -= count;
          segment.outstanding -= count;
        }
        for (const segment of group.givenUp) segment.outstanding -= 1;
        allowance.uncommitted -= amount;
        allowance.prolong(nowMs + leaseSeconds * 1000);
        this.batch.apply(outcome.control, this.deps.settings.drainSeconds * 1000);
        for (const { resume } of group.resumes) resume();
        return;
      }
      if (group.part) await this.deps.files.delete(group.part.key);
      group.part = null;
      await this.dropLost(group, outcome.lost);
    }
  }

  /** Results under a lost lease are not delivered, but their calls were real: the ledger keeps them as superseded. */
  private async dropLost(group: Group, lost: readonly string[]): Promise<void> {
    const gone = [...group.touched].filter((segment) => lost.length === 0 || lost.includes(segment.lease.id));
    const isGone = (segment: SegmentInHand): boolean => gone.includes(segment);
    const waste = [
      ...group.lines.filter((line) => isGone(line.segment)).flatMap((line) => line.entry ?? []),
      ...group.entries.filter(({ segment }) => isGone(segment)).map(({ entry }) => entry),
    ].map((entry) => ({
      ...entry,
      final: false,
      status: entry.status === 'succeeded' ? ('superseded' as const) : entry.status,
    }));
    if (waste.length > 0) await this.deps.store.ledger.append(waste);
    this.batch.allowance.wasted(waste.reduce((sum, { amountNano }) => sum + (amountNano ?? 0), 0));
    this.uncommitted -= group.lines.filter((line) => isGone(line.segment)).length;
    group.lines = group.lines.filter((line) => !isGone(line.segment));
    group.entries = group.entries.filter(({ segment }) => !isGone(segment));
    group.resumes = group.resumes.filter(({ segment }) => !isGone(segment));
    for (const segment of gone) {
      segment.closed = true;
      segment.lost = true;
      group.touched.delete(segment);
    }
  }
}

/** Nano-USD of entries that have an amount. */
function amountOf(entries: Group['entries'], lines: readonly FinishedLine[]): number {
  const ofTries = entries.reduce((sum, { entry }) => sum + (entry.amountNano ?? 0), 0);
  return lines.reduce((sum, { entry }) => sum + (entry?.amountNano ?? 0), ofTries);
}

function countBySegment(lines: readonly FinishedLine[]): Map<SegmentInHand, number> {
  const counts = new Map<SegmentInHand, number>();
  for (const { segment } of lines) counts.set(segment, (counts.get(segment) ?? 0) + 1);
  return counts;
}
