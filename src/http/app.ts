import { OpenAPIHono } from '@hono/zod-openapi';
import type { Deps } from '../ports/deps.ts';
import { Autobatch, type AutobatchWork } from '../services/autobatch/autobatch.ts';
import { Calls } from '../services/calls/calls.ts';
import { createAuthenticator } from '../services/keys/authenticate.ts';
import { OpenStreams } from '../services/keys/open-streams.ts';
import { adminOnly, authenticate } from './auth.ts';
import { boundBody } from './body.ts';
import type { CallParts } from './calls/exchange.ts';
import { registerDocs } from './docs.ts';
import type { AppEnv } from './env.ts';
import { handleError, handleNotFound, refuseInvalid } from './errors.ts';
import { frame } from './frame.ts';
import { idempotency } from './idempotency.ts';
import { createMetrics } from './metrics.ts';
import { registerOpenApi } from './openapi.ts';
import { refuseUnknownHeaders } from './own-headers.ts';
import { refuseUnknownQueries } from './own-queries.ts';
import { createRouteTable } from './route-table.ts';
import { registerBatchInsight } from './routes/batch-insight.ts';
import { registerBatchResults } from './routes/batch-results.ts';
import { registerBatches } from './routes/batches.ts';
import { registerBatching } from './routes/batching.ts';
import { registerBudgets } from './routes/budgets.ts';
import { registerCalls } from './routes/calls.ts';
import { registerEstimate } from './routes/estimate.ts';
import { registerEvalComparison } from './routes/eval-comparison.ts';
import { registerEvalRuns } from './routes/eval-runs.ts';
import { registerEvals } from './routes/evals.ts';
import { registerEvents } from './routes/events.ts';
import { registerFiles } from './routes/files.ts';
import { registerHealth } from './routes/health.ts';
import { registerKeys } from './routes/keys.ts';
import { registerLedger } from './routes/ledger.ts';
import { registerMessages } from './routes/messages.ts';
import { registerModels } from './routes/models.ts';
import { registerPrices } from './routes/prices.ts';
import { registerProviders } from './routes/providers.ts';
import { registerReconcile } from './routes/reconcile.ts';
import { registerRoutes } from './routes/routes.ts';
import { registerSession } from './routes/session.ts';
import { registerUploads } from './routes/uploads.ts';
import { registerWebhooks } from './routes/webhooks.ts';

/** What the app shares with other parts of its process: one of each. */
export interface AppParts extends CallParts {
  autobatch: Autobatch;
}

/** `autobatch`: who makes batches of parked calls. */
export function createParts(deps: Deps, autobatch: AutobatchWork = 'here'): AppParts {
  const calls = new Calls(deps);
  return {
    authenticator: createAuthenticator(deps),
    calls,
    metrics: deps.metrics ?? createMetrics(),
    autobatch: new Autobatch(deps, calls, autobatch),
  };
}

/** The whole HTTP API over the given dependencies: a value that any runtime can serve. */
export function createApp(deps: Deps, parts: AppParts = createParts(deps)): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: refuseInvalid });
  const { metrics, authenticator, calls } = parts;
  const streams = new OpenStreams(deps);

  app.onError(handleError(deps));
  app.notFound(handleNotFound(createRouteTable(() => app.routes)));
  app.use(frame(deps, metrics));
  app.use('/v1/*', authenticate(deps, authenticator));
  app.use('/v1/keys/*', adminOnly);
  app.use('/v1/budgets/*', adminOnly);
  app.use('/v1/providers/*', adminOnly);
  app.use('/v1/*', refuseUnknownHeaders, refuseUnknownQueries(app), boundBody(deps));
  app.use('/batching/*', authenticate(deps, authenticator), refuseUnknownHeaders, boundBody(deps));
  registerBatching(app, parts.autobatch);
  app.use('/v1/*', idempotency(deps));

  registerFiles(app, deps);
  registerUploads(app, deps);
  registerBatches(app, deps);
  registerBatchResults(app, deps, streams);
  registerBatchInsight(app, deps);
  registerEstimate(app, deps);
  registerEvals(app, deps);
  registerEvalRuns(app, deps);
  registerEvents(app, deps, streams);
  // The books that somebody reads have every call that was answered.
  for (const books of ['/v1/ledger/*', '/v1/budgets/*']) {
    app.use(books, async (_c, next) => {
      await calls.flush();
      await next();
    });
  }
  registerLedger(app, deps);
  registerReconcile(app, deps);
  registerModels(app, deps);
  registerCalls(app, calls);
  registerMessages(app, deps, calls);
  registerRoutes(app, deps, (tenantId) => calls.forgetRoutes(tenantId));
  registerEvalComparison(app, deps, (tenantId) => calls.forgetRoutes(tenantId));
  registerProviders(app, deps);
  registerPrices(app, deps);
  registerBudgets(app, deps, () => calls.forgetBudgets());
  registerKeys(app, deps, (keyId) => {
    authenticator.forget(keyId);
    streams.endKey(keyId);
  });
  registerWebhooks(app, deps);
  registerSession(app, deps, (hash) => streams.endSession(hash));
  registerHealth(app, deps, parts);
  registerDocs(app, deps.assets, registerOpenApi(app));
  return app;
}
