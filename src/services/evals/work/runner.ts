import { ApiError } from '../../../core/api-error.ts';
import { describeError } from '../../../core/describe-error.ts';
import { formatId, ID_BYTES } from '../../../core/ids.ts';
import { unixSeconds } from '../../../ports/clock.ts';
import type { Deps } from '../../../ports/deps.ts';
import type { EvalLease } from '../../../ports/store-evals.ts';
import { LeasedWork } from '../../leased-work.ts';
import { advanceRun } from './advance-run.ts';
import { cleanUp } from './clean-up.ts';

const RUNS_AT_ONCE = 2;
const RETRY_SECONDS = 5;
/** Pages of one run before another that waits has its turn. */
const PAGES_AT_ONCE = 200;

/** Brings the runs of evals from one stage to the next. Rows are the truth: what a crash interrupts is found again. */
export class EvalRunner {
  readonly token: string;
  private readonly deps: Deps;
  private readonly work = new LeasedWork();
  private readonly stopping = new AbortController();

  constructor(deps: Deps) {
    this.deps = deps;
    this.token = formatId('req_', deps.random.bytes(ID_BYTES));
  }

  /** Starts on the runs that can go on. Answers how many. */
  async wake(): Promise<number> {
    const room = RUNS_AT_ONCE - this.work.size;
    if (this.stopping.signal.aborted || room <= 0) return 0;
    const now = unixSeconds(this.deps.clock);
    const until = now + this.deps.settings.leaseSeconds;
    const due = await this.deps.store.evalWork.claimDue({ now, until, token: this.token, limit: room });
    for (const lease of due) {
      const { id } = lease.run;
      this.work.begin(
        id,
        () => this.advance(lease),
        (nextAt) => this.giveBack(id, nextAt),
      );
    }
    return due.length;
  }

  /** Resolves when no run is worked on here. */
  idle(): Promise<void> {
    return this.work.idle();
  }

  /** Takes nothing more, and ends after the pages under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.idle();
  }

  /** Call it every third of a lease. */
  async renew(): Promise<void> {
    if (this.work.size === 0) return;
    const until = unixSeconds(this.deps.clock) + this.deps.settings.leaseSeconds;
    await this.deps.store.evalWork.renew(this.work.ids, this.token, until);
  }

  /** When it is to be looked at again: one that cannot be worked on now (its disk, its database) a little later. */
  private async advance(lease: EvalLease): Promise<number> {
    const { deps, token } = this;
    const { id, status, deletedAt } = lease.run;
    try {
      if (status === 'queued' || (status === 'in_progress' && deletedAt === null)) {
        let pages = PAGES_AT_ONCE;
        const mayGoOn = (): boolean => !this.stopping.signal.aborted && pages-- > 0;
        await advanceRun(deps, lease, { token, mayGoOn, signal: this.stopping.signal });
      } else if (!(await cleanUp(deps, lease, token))) return unixSeconds(deps.clock) + 1;
      return 0;
    } catch (error) {
      const isLater = error instanceof ApiError && error.status === 429;
      const fields = { evalRun: id, status, error: describeError(error) };
      if (isLater) deps.log.info(fields, 'an eval run waits for what its key may use');
      else deps.log.error(fields, 'work on an eval run failed');
      return unixSeconds(deps.clock) + RETRY_SECONDS;
    }
  }

  private async giveBack(id: string, nextAt: number): Promise<void> {
    const { deps, token } = this;
    await deps.store.evalWork
      .release(id, token, nextAt)
      .catch((error: unknown) =>
        deps.log.warn({ evalRun: id, error: describeError(error) }, 'eval lease not given back'),
      );
    deps.nudge();
  }
}
