import { formatId, ID_BYTES } from '../../core/ids.ts';
import { cameInTime, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Metric } from '../../ports/metrics.ts';
import type { DueDelivery } from '../../ports/store-webhooks.ts';
import { tryDelivery } from './deliver.ts';

const AT_ONCE = 16;
/** An endpoint that hangs holds up its own deliveries only. */
const AT_ONCE_TO_ONE = 4;
/** Longer than any try takes, so that no other server takes a delivery over while it is being sent. */
const LEASE_SECONDS = 60;

const tries: Metric = {
  name: 'weir_webhook_tries_total',
  help: 'Tries to deliver an event to a webhook, by what became of them.',
  labels: ['outcome'],
};
const duration: Metric = {
  name: 'weir_webhook_try_duration_seconds',
  help: 'Time of one try to deliver an event to a webhook.',
  buckets: [0.05, 0.25, 1, 2.5, 5, 10],
};

type RunnerDeps = Pick<Deps, 'store' | 'clock' | 'random' | 'log' | 'settings' | 'metrics' | 'webhookSender' | 'nudge'>;

/** Delivers what the outbox holds, a few at once. Rows are the truth: what is cut short is sent again. */
export class WebhookRunner {
  readonly token: string;
  private readonly deps: RunnerDeps;
  /** What is under way here, by endpoint. */
  private readonly running = new Map<string, Promise<unknown>>();
  private underWay = 0;
  private stopped = false;
  private readonly stopping = new AbortController();

  constructor(deps: RunnerDeps) {
    this.deps = deps;
    this.token = formatId('req_', deps.random.bytes(ID_BYTES));
  }

  /** Starts on the deliveries that are due. Answers how many. */
  async wake(): Promise<number> {
    const room = AT_ONCE - this.underWay;
    if (this.stopped || room <= 0) return 0;
    const now = unixSeconds(this.deps.clock);
    const due = await this.deps.store.webhooks.claimDue({
      now,
      until: now + LEASE_SECONDS,
      token: this.token,
      limit: room,
      perWebhook: AT_ONCE_TO_ONE,
      busy: [...this.running.keys()],
    });
    for (const [id, deliveries] of Map.groupBy(due, ({ webhook }) => webhook.id)) {
      this.underWay += deliveries.length;
      const work = Promise.all(deliveries.map((each) => this.deliver(each))).finally(() => {
        this.running.delete(id);
        this.deps.nudge();
      });
      this.running.set(id, work);
    }
    return due.length;
  }

  /** Resolves when nothing is under way here. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running.values());
  }

  /** Takes nothing more; tries under way have the drain time. */
  async stop(): Promise<void> {
    this.stopped = true;
    await cameInTime(this.deps.clock, this.idle(), this.deps.settings.drainSeconds * 1000);
    this.stopping.abort();
    await this.idle();
  }

  private async deliver(due: DueDelivery): Promise<void> {
    const { deps, token } = this;
    const start = deps.clock.micros();
    const outcome = await tryDelivery(deps, due, this.stopping.signal);
    deps.metrics?.count(tries, { outcome: outcome.outcome });
    deps.metrics?.observe(duration, {}, (deps.clock.micros() - start) / 1e6);
    const { id, tenantId } = due.webhook;
    if (outcome.outcome === 'gone')
      deps.log.warn({ webhookId: id, tenantId }, 'webhook disabled: its endpoint is gone');
    await deps.store.webhooks
      .settle(due.delivery, token, outcome, unixSeconds(deps.clock))
      .catch((error: unknown) => deps.log.warn({ webhookId: id, error: String(error) }, 'webhook delivery not settled'))
      .finally(() => {
        this.underWay -= 1;
      });
  }
}
