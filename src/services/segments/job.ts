import type { Candidate } from '../../core/lane.ts';
import type { LineProgress } from '../../core/retry.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import type { OpenSegment } from './open-segment.ts';

/** One line of an open segment, on its way to a result. */
export interface Job {
  segment: OpenSegment;
  /** 0-based line of the input file. */
  line: number;
  /** Index among the segment's own lines: what the segment's grant counts. */
  position: number;
  request: RequestLine;
  /** Bytes of the line, for token estimates. */
  bytes: number;
  /** Where it may go, in order; `progress.candidate` is an index into these. */
  candidates: readonly Candidate[];
  progress: LineProgress;
  /** Attempts that reached a provider so far, earlier leases included. */
  attempts: number;
  warnings: string[];
  /** Sum of its attempts' known amounts, in nano-USD. */
  costNano: number;
  /** The ledger has been told that an earlier lease may have sent it. */
  doubtRecorded: boolean;
}
