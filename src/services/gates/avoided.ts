import type { LineProgress } from '../../core/retry.ts';
import type { Gate } from '../../ports/gates.ts';

/** The members of a pool where a request has failed, the last one at `member`; null when no other of them is well. */
export function avoidedAfter(gate: Gate, { avoided = [] }: LineProgress, member: string): readonly string[] | null {
  const failedAt = [...avoided, member];
  return gate.hasOther(failedAt) ? failedAt : null;
}
