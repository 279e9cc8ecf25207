/**
 * Whether a pool's member is in use, by what it says of itself. What requests run into is the breaker's business.
 *
 *   unknown ─▶ healthy ◀──(answers again)── unhealthy
 *                 │ └──(two checks fail in a row)──▲
 *                 └──(serves other models than the pool)──▶ wrong_model ──(serves them again)──▶ healthy
 */
export type HealthState = 'unknown' | 'healthy' | 'unhealthy' | 'wrong_model';

/** One failed check may be chance: a restart of a proxy, a lost packet. */
const FAILURES_TO_LEAVE = 2;

export class MemberHealth {
  private failures = 0;
  private known = false;
  private wellAt = Number.NEGATIVE_INFINITY;
  /** Why its models are not the pool's; null while they are. */
  private mismatch: string | null = null;

  /** `askedAtMs`: by a steady clock. */
  checked(healthy: boolean, askedAtMs: number): void {
    if (healthy) this.wellAt = askedAtMs;
    this.known = true;
    this.failures = healthy ? 0 : this.failures + 1;
  }

  /** Whether it has said since then that it is well. */
  wasWellSince(ms: number): boolean {
    return this.wellAt > ms;
  }

  modelsChecked(mismatch: string | null): void {
    this.mismatch = mismatch;
  }

  get state(): HealthState {
    if (this.mismatch !== null) return 'wrong_model';
    if (this.failures >= FAILURES_TO_LEAVE) return 'unhealthy';
    return this.known ? 'healthy' : 'unknown';
  }

  /** The last check failed, and that may have been chance: the next one should not wait. */
  get inDoubt(): boolean {
    return this.failures > 0 && this.failures < FAILURES_TO_LEAVE;
  }

  /** What is wrong, for the operator. */
  get reason(): string | null {
    if (this.mismatch !== null) return this.mismatch;
    return this.failures >= FAILURES_TO_LEAVE ? 'its health check fails' : null;
  }
}

export interface Served {
  id: string;
  root: string | null;
}

/**
 * Why a member's models are not those of its pool: null when they are. `expected`: what the operator listed, null for
 * no list; `roots`: where the pool's models come from, by name.
 */
export function mismatchOf(
  served: readonly Served[],
  expected: readonly string[] | null,
  roots: ReadonlyMap<string, string>,
): string | null {
  const missing = expected?.filter((model) => !served.some(({ id }) => id === model)) ?? [];
  if (missing.length > 0)
    return `does not serve ${missing.join(', ')}; it lists ${served.map(({ id }) => id).join(', ')}`;
  for (const { id, root } of served) {
    const expectedRoot = roots.get(id);
    if (root !== null && expectedRoot !== undefined && root !== expectedRoot) {
      return `serves ${root} as ${id}, the pool's other members ${expectedRoot}`;
    }
  }
  return null;
}

/** Where a pool's models come from: as more than half of the members say, else as it was. */
export function rootsOf(
  members: readonly (readonly Served[])[],
  before: ReadonlyMap<string, string>,
): Map<string, string> {
  const votes = new Map<string, Map<string, number>>();
  for (const { id, root } of members.flat()) {
    if (root === null) continue;
    const roots = votes.get(id) ?? new Map<string, number>();
    roots.set(root, (roots.get(root) ?? 0) + 1);
    votes.set(id, roots);
  }
  const agreed = new Map(before);
  for (const [id, roots] of votes) {
    const total = [...roots.values()].reduce((sum, count) => sum + count, 0);
    const [root, count] = [...roots].toSorted((a, b) => b[1] - a[1])[0] ?? ['', 0];
    if (!agreed.has(id) || count > total / 2) agreed.set(id, root);
  }
  return agreed;
}
