import { OpenAPIHono } from '@hono/zod-openapi';
import type { Deps } from '../ports/deps.ts';
import { createAuthenticator } from '../services/keys/authenticate.ts';
import { adminOnly, authenticate } from './auth.ts';
import { boundBody } from './body.ts';
import { registerDocs } from './docs.ts';
import type { AppEnv } from './env.ts';
import { handleError, handleNotFound, refuseInvalid } from './errors.ts';
import { frame } from './frame.ts';
import { idempotency } from './idempotency.ts';
import { createMetrics } from './metrics.ts';
import { registerOpenApi } from './openapi.ts';
import { createRouteTable } from './route-table.ts';
import { registerBatchResults } from './routes/batch-results.ts';
import { registerBatches } from './routes/batches.ts';
import { registerEstimate } from './routes/estimate.ts';
import { registerFiles } from './routes/files.ts';
import { registerHealth } from './routes/health.ts';
import { registerKeys } from './routes/keys.ts';
import { registerLedger } from './routes/ledger.ts';
import { registerModels } from './routes/models.ts';
import { registerProviders } from './routes/providers.ts';
import { registerRoutes } from './routes/routes.ts';
import { registerUploads } from './routes/uploads.ts';

/** The whole HTTP API over the given dependencies: a value that any runtime can serve. */
export function createApp(deps: Deps): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: refuseInvalid });
  const metrics = deps.metrics ?? createMetrics();
  const authenticator = createAuthenticator(deps);

  app.onError(handleError(deps));
  app.notFound(handleNotFound(createRouteTable(() => app.routes)));
  app.use(frame(deps, metrics));
  app.use('/v1/*', authenticate(deps, authenticator));
  app.use('/v1/keys/*', adminOnly);
  app.use('/v1/providers/*', adminOnly);
  app.use('/v1/*', boundBody);
  app.use('/v1/*', idempotency(deps));

  registerFiles(app, deps);
  registerUploads(app, deps);
  registerBatches(app, deps);
  registerBatchResults(app, deps);
  registerEstimate(app, deps);
  registerLedger(app, deps);
  registerModels(app, deps);
  registerRoutes(app, deps);
  registerProviders(app, deps);
  registerKeys(app, deps, authenticator);
  registerHealth(app, deps, metrics);
  registerDocs(app, deps.assets, registerOpenApi(app));
  return app;
}
