/** The nouns of the engine: what its parts know of each other. */
import type { Success } from '../../../providers/contract.ts';
import type { Allowance } from '../../core/budget-allowance.ts';
import type { SpareAnswer } from '../../core/heal-line.ts';
import type { Unfit } from '../../core/healing.ts';
import type { KeyBudget } from '../../core/key-budget.ts';
import type { Candidate, RunLane } from '../../core/lane.ts';
import type { LineProgress } from '../../core/retry.ts';
import type { BatchControl } from '../../ports/batch-control.ts';
import type { TargetGate } from '../../ports/gates.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import type { SegmentLease } from '../../ports/store-segments.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import type { LineResult } from '../results/line-result.ts';
import type { SendWindow } from './windows.ts';

/** One line of an open segment, on its way to a result. */
export interface Job {
  segment: SegmentInHand;
  /** 0-based line of the input file. */
  line: number;
  /** Index among the segment's own lines: what the segment's grant counts. */
  position: number;
  request: RequestLine;
  /** What it may use at most, as estimated before it is sent. */
  tokens: number;
  /** What it may come to at its dearest target, in nano-USD; null until a budget asks. */
  boundNano: number | null;
  /** Where it may go, in order; `progress.candidate` is an index into these. */
  candidates: readonly Candidate[];
  progress: LineProgress;
  /** Attempts that reached a provider so far, earlier leases included. */
  attempts: number;
  /** Its answers that were not taken. */
  unfit: Unfit[];
  /** The last of them, where it is at hand, and the index of the candidate that gave it: what is left if the retry fails. */
  spare: SpareAnswer<Success> | null;
  /** Tokens of all its calls so far; null where one of them did not say. */
  usedTokens: number | null;
  /** Indexes of candidates that refused a larger limit than the request's own. */
  atMaximum: number[];
  warnings: string[];
  /** What its call is booked with at a target that has rates of its own. */
  booking: ReturnType<TargetGate['spend']> | null;
  /** Sum of its attempts' known amounts, those before included, in nano-USD. */
  costNano: number;
}

/** A segment this process holds the lease of. */
export interface SegmentInHand {
  readonly lease: SegmentLease;
  readonly batch: BatchInHand;
  readonly lane: RunLane;
  /** Lines of its own in its range, those with results included: positions count up to here. */
  readonly size: number;
  /** Lines up to this position may be sent; raised by commits, before sending. */
  granted: number;
  /** Of its queue: lines that may be sent ahead of the commit that says so. */
  readonly window: SendWindow;
  /** What is to be granted so that so many unsent lines may be sent. */
  reach(lines: number): number;
  /** Lines that were not sent yet before this position. */
  unsent(granted: number): number;
  /** The position of the next line to send; the segment's size when there is none. */
  readonly cursor: number;
  /** Lines without a committed result. */
  remaining: number;
  /** Lines sent (or waiting to be sent again) whose result is not committed yet, and entries that are not. */
  outstanding: number;
  /** Set when the lease is gone or the process stops: nothing more is sent. */
  closed: boolean;
  /** Set when somebody else holds the lease. */
  lost: boolean;
}

/** A batch of which this process holds segments. */
export interface BatchInHand {
  readonly row: BatchRow;
  readonly input: FileRow;
  /** True while lines may be sent. */
  readonly running: boolean;
  /** True once it ends before its lines do: it was cancelled, expired, or its money is spent. */
  readonly stopped: boolean;
  /** Ends the requests in flight, when a stop has outlasted its grace. */
  readonly abort: AbortController;
  readonly results: Results;
  /** What its key may use; null when the operator's own key made it. */
  readonly budget: KeyBudget | null;
  /** Lines sent by this process. */
  sentLines: number;
  /** In the order in which their lines are sent. */
  readonly segments: ReadonlySet<SegmentInHand>;
  /** Lines of its open segments without a committed result. */
  readonly remaining: number;
  /** Whether it has lines here that were not sent yet. */
  readonly undispatched: boolean;
  /** What it may have under way by its budgets. */
  readonly allowance: Allowance;
  /** Its input could not be read. */
  noteUnreadable(error: unknown): void;
  /** Whether its budgets leave enough for a line to be sent. */
  maySpend(job: Job): boolean;
  /** Takes in what the store says of the batch. */
  apply(control: BatchControl, drainMs: number): void;
}

/** Where results become durable. */
export interface Results {
  /** Takes the result of a line. */
  finish(line: FinishedLine): void;
  /** Takes the entry of an attempt after which the line goes on: `resume` is called when the entry is durable. */
  record(segment: SegmentInHand, entry: LedgerEntryRow, resume: () => void): void;
  /** Takes back a line that was sent and will not go on here: its batch stops, or the process does. */
  giveUp(segment: SegmentInHand, entry: LedgerEntryRow | null): void;
  /** Asks for a commit that lets the segment send more lines; `doubts` become durable in the same commit. */
  requestGrant(segment: SegmentInHand, doubts?: readonly LedgerEntryRow[]): void;
  /** As `requestGrant`, unless the commit that is under way grants it something. */
  wantGrant(segment: SegmentInHand): void;
  /** Asks for a commit in which the batch draws from its budgets. */
  requestAllowance(segment: SegmentInHand): void;
  /** Gives a segment back after a moment because its input could not be read. */
  failLoading(segment: SegmentInHand, error: unknown): void;
}

export interface FinishedLine extends LineResult {
  segment: SegmentInHand;
  entry: LedgerEntryRow | null;
}
