import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { ApiError } from '../../core/api-error.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { unreachableSchema } from '../../protocol/held-target.ts';
import { shardAlertCountSchema } from '../../protocol/shard-alert.ts';
import { readinessOf } from '../../services/health/check-readiness.ts';
import { gaugeBudgets } from '../../services/health/gauge-budgets.ts';
import { gaugeStore } from '../../services/health/gauge-store.ts';
import type { Authenticator } from '../../services/keys/authenticate.ts';
import { countAlerts } from '../../services/shards/alerts.ts';
import { presentedSecret, remoteAddress } from '../auth.ts';
import type { AppEnv } from '../env.ts';
import { createMetrics } from '../metrics.ts';

const tags = ['Server'];

const waitingSchema = z.object({ provider: z.string(), code: z.string(), shards: z.number().int() });
type Waiting = z.infer<typeof waitingSchema>;
const awaySchema = z.object({ provider: z.string(), ...unreachableSchema.shape });

const readySchema = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    reasons: z.array(z.string()),
    /** Providers whose batches wait until an operator mends their credentials, rights or credit; `shards` 0: lines sent at once do. */
    waiting_for_operator: z.array(waitingSchema),
    /** Providers that answer nothing that serves: batch lines wait for them, or go elsewhere. */
    unreachable: z.array(awaySchema),
    /** What waits for an operator, and provider batches that are stuck or whose results cannot be read. */
    alerts: z.array(z.object({ provider: z.string(), ...shardAlertCountSchema.shape })),
  })
  .openapi('Readiness');
const readyContent = { 'application/json': { schema: readySchema } };

const health = createRoute({
  method: 'get',
  path: '/healthz',
  tags,
  summary: 'Whether the process is alive',
  security: [],
  responses: {
    200: { description: 'Alive', content: { 'application/json': { schema: z.object({ status: z.literal('ok') }) } } },
  },
});

const ready = createRoute({
  method: 'get',
  path: '/readyz',
  tags,
  summary: 'Whether the server can work, and why not',
  security: [],
  responses: {
    200: { description: 'Ready', content: readyContent },
    503: { description: 'Not ready', content: readyContent },
  },
});

const metricsPage = createRoute({
  method: 'get',
  path: '/metrics',
  tags,
  summary: 'Metrics in the Prometheus text format; an administrator’s key adds those of budgets, by their ids',
  security: [],
  responses: { 200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } } },
});

/** `/healthz`, `/readyz` and `/metrics`: open to whoever reaches the server, who is told nothing of any tenant without an administrator's key. */
export function registerHealth(
  app: OpenAPIHono<AppEnv>,
  deps: Deps,
  { metrics, authenticator }: { metrics: Metrics; authenticator: Authenticator },
): void {
  gaugeStore(deps, metrics);
  const budgets = createMetrics();
  gaugeBudgets(deps, budgets);
  const readiness = readinessOf(deps);
  app.openapi(health, (c) => c.json({ status: 'ok' as const }, 200));
  app.openapi(ready, async (c) => {
    const reasons = await readiness();
    if (reasons.length > 0) {
      return c.json(
        { status: 'unavailable' as const, reasons, waiting_for_operator: [], unreachable: [], alerts: [] },
        503,
      );
    }
    const alerts = await countAlerts(deps);
    const ofShards = alerts.flatMap(({ provider, code, reason, shards }) =>
      code === 'needs_operator' ? [{ provider, code: reason ?? code, shards }] : [],
    );
    const waiting = [...ofShards, ...heldLines(deps, ofShards)];
    return c.json(
      { status: 'ok' as const, reasons, waiting_for_operator: waiting, unreachable: unreachableNow(deps), alerts },
      200,
    );
  });
  app.openapi(metricsPage, async (c) => {
    const isAdmin = await presentsAdminKey(c, authenticator);
    const { type, text } = await metrics.render();
    const more = isAdmin ? (await budgets.render()).text : '';
    return c.text(text + more, 200, { 'content-type': type });
  });
}

function unreachableNow({ gates }: Deps): z.infer<typeof awaySchema>[] {
  return [...gates].flatMap(([provider, gate]) => {
    const { unreachable } = gate.figures();
    return unreachable === null ? [] : [{ provider, ...unreachable }];
  });
}

/** Providers that refuse lines sent at once, and have no provider batches that wait for the same. */
function heldLines({ gates }: Deps, known: readonly Waiting[]): Waiting[] {
  const waiting = new Map<string, Waiting>();
  for (const [provider, gate] of gates) {
    for (const { code } of gate.figures().held) waiting.set(`${provider} ${code}`, { provider, code, shards: 0 });
  }
  for (const { provider, code } of known) waiting.delete(`${provider} ${code}`);
  return [...waiting.values()];
}

/** False without a key, and while the database cannot tell whose it is. Throws 401 for one that does not work. */
async function presentsAdminKey(c: Context<AppEnv>, authenticator: Authenticator): Promise<boolean> {
  const secret = presentedSecret((name) => c.req.header(name));
  if (secret === null) return false;
  try {
    return (await authenticator.authenticate(secret, remoteAddress(c))).role === 'admin';
  } catch (error) {
    if (error instanceof ApiError) throw error;
    return false;
  }
}
