/**
 * When a provider batch ran, in Unix seconds: its answers have the prices of that time, whenever they are collected. It is
 * the end that the provider tells, as far as it can be (its clock may be another), else when that end was first seen.
 */
export function ranAt(told: number | null | undefined, seen: { submittedAt: number | null; endedAt: number }): number {
  if (told === null || told === undefined || !Number.isFinite(told)) return seen.endedAt;
  const earliest = Math.min(seen.submittedAt ?? Number.NEGATIVE_INFINITY, seen.endedAt);
  return Math.max(earliest, Math.min(Math.floor(told), seen.endedAt));
}
