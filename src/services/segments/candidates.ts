import type { Candidate } from '../../core/lane.ts';
import { detour } from '../../core/retry.ts';
import type { Job } from './work.ts';

/** Of a shared queue's candidates, the one at `index`, which takes the line, comes first; the others are its alternatives. */
export function startingAt({ index }: { index: number }, { segment: { lane } }: Job): readonly Candidate[] {
  if (lane.shared < 2) return lane.candidates;
  const shared = lane.candidates.slice(0, lane.shared);
  return [...shared.slice(index), ...shared.slice(0, index), ...lane.candidates.slice(lane.shared)];
}

/** The candidate that a line may move on to without a call; null for none. */
export function nextOf({ candidates, progress }: Job): number | null {
  return detour(candidates, progress.candidate);
}

/** Where a line is to go by its progress. */
export function targetOf({ candidates, progress }: Job): Candidate | undefined {
  return candidates[progress.candidate];
}
