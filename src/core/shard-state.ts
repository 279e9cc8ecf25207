/**
 * The life of a shard: the lines of one batch that go to one target as one provider batch.
 *
 *            token stored        created              ended               every line settled
 *   pending ─────────────→ submitting ───→ running ─────────→ collecting ───────────────────→ done
 *      ↑                        │             │
 *      └────────────────────────┤             └─ told to stop, and its time to do so is over ─→ abandoned ──→ done
 *        the service has no room: later          (its lines run elsewhere; what it still answers is waste)
 *                               └─ whether it was created was not told in time: it is looked for ──↑
 *
 * From submitting and collecting, too, a shard is abandoned where its batch's input is lost: no answer could be delivered.
 *
 * Before a provider batch is created its token is stored, so that after a crash it is looked for before it is made again. One
 * that its provider lists so late that it was made again is found by the search for orphans: a row that is done from the first
 * remembers the token, and is abandoned from then on.
 */
const transitions = {
  pending: ['submitting', 'done'],
  submitting: ['running', 'abandoned', 'pending', 'done'],
  running: ['collecting', 'abandoned', 'pending', 'done'],
  collecting: ['done', 'abandoned'],
  abandoned: ['done'],
  done: [],
} as const satisfies Record<string, readonly string[]>;

export type ShardState = keyof typeof transitions;

export const SHARD_STATES = Object.keys(transitions) as readonly ShardState[];

/** The states in which a shard is open work of its batch, which waits for its lines. */
export const OPEN_SHARD_STATES: readonly ShardState[] = ['pending', 'submitting', 'running', 'collecting'];

export function canMoveShard(from: ShardState, to: ShardState): boolean {
  return (transitions[from] as readonly ShardState[]).includes(to);
}

/** Whether a submit of which nobody knows how it ended has certainly left nothing. */
export function isUntouched(submit: {
  refs: Readonly<Record<string, string>>;
  failure: { reachedProvider: boolean } | null;
}): boolean {
  return Object.keys(submit.refs).length === 0 && submit.failure?.reachedProvider === false;
}

/** The states from which `to` may follow. */
export function shardStatesBefore(to: ShardState): readonly ShardState[] {
  return SHARD_STATES.filter((from) => canMoveShard(from, to));
}
