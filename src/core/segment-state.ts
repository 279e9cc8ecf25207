/**
 * The life of a segment:
 *
 *            claim            every line has a result
 *   pending ──────→ leased ──────────────────────────→ done
 *      ↑              │
 *      └──────────────┘ released, or the lease ended
 *
 * The segments of a batch go when the batch ends.
 */
const transitions = {
  pending: ['leased'],
  leased: ['done', 'pending'],
  done: [],
} as const satisfies Record<string, readonly string[]>;

export type SegmentState = keyof typeof transitions;

export const SEGMENT_STATES = Object.keys(transitions) as readonly SegmentState[];

/** Some of its lines may lack a result. */
export const OPEN_SEGMENT_STATES: readonly SegmentState[] = ['pending', 'leased'];

export function canMoveSegment(from: SegmentState, to: SegmentState): boolean {
  return (transitions[from] as readonly SegmentState[]).includes(to);
}
