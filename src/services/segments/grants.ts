import type { SegmentInHand } from './work.ts';

/**
 * How far each of a batch's segments may be sent after a commit: what is `touched` keeps its grant at least. In each queue
 * the first segment has the window to itself, the next one what the first leaves of it, and so on: a crash leaves in doubt
 * what was granted, and segments that wait their turn were surely not sent.
 */
export function grantsOf(
  segments: Iterable<SegmentInHand>,
  touched: ReadonlySet<SegmentInHand>,
): Map<SegmentInHand, number> {
  const grants = new Map([...touched].map((segment) => [segment, segment.granted]));
  const rooms = new Map<string, number>();
  for (const segment of segments) {
    if (segment.closed) continue;
    const { queue } = segment.lease;
    let room = rooms.get(queue);
    if (room === undefined) {
      room = segment.window.lines;
      segment.window.granted(unsentOf(segments, queue));
    }
    if (room > 0) {
      const granted = Math.max(segment.granted, segment.reach(room));
      if (granted > segment.granted) grants.set(segment, granted);
      room -= segment.unsent(granted);
    }
    rooms.set(queue, room);
  }
  return grants;
}

/** Lines of a queue that are granted already and not sent yet. */
function unsentOf(segments: Iterable<SegmentInHand>, queue: string): number {
  let count = 0;
  for (const segment of segments) if (segment.lease.queue === queue) count += segment.unsent(segment.granted);
  return count;
}
