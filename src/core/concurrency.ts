/** The area under the curve of how many were in flight, between two moments in Unix milliseconds. */
interface Busy {
  busyMs: number;
  busyFrom: number;
  busyUntil: number;
}

/**
 * How many were in flight on average in each of `count` stretches of `stretchMs` from `start` on (Unix milliseconds). A
 * stretch counts for the part of it that lies between the first and the last moment known; null for each when none is.
 */
export function meanInFlight(
  times: readonly Busy[],
  { start, stretchMs, count }: { start: number; stretchMs: number; count: number },
): (number | null)[] {
  const areas = Array.from({ length: count }, () => 0);
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const { busyMs, busyFrom, busyUntil } of times) {
    first = Math.min(first, busyFrom);
    last = Math.max(last, busyUntil);
    const whole = Math.max(1, busyUntil - busyFrom);
    for (let at = indexOf(busyFrom); at <= indexOf(busyUntil); at += 1) {
      const overlap = within(at, busyFrom, busyFrom + whole);
      areas[at] = (areas[at] ?? 0) + (busyMs * overlap) / whole;
    }
  }
  if (first > last) return areas.map(() => null);
  // A moment too short to be measured would make many of few.
  return areas.map((area, at) => area / Math.max(1, within(at, first, last)));

  function indexOf(moment: number): number {
    return Math.min(count - 1, Math.max(0, Math.floor((moment - start) / stretchMs)));
  }
  /** What of the stretch lies between two moments; the first and the last stretch take in what lies before and after. */
  function within(at: number, from: number, until: number): number {
    const begin = at === 0 ? from : Math.max(from, start + at * stretchMs);
    const end = at === count - 1 ? until : Math.min(until, start + (at + 1) * stretchMs);
    return Math.max(0, end - begin);
  }
}
