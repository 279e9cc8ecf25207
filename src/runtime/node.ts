import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { kinds } from '../../providers/registry.ts';
import { createDashboard } from '../dashboard/routes.ts';
import { createApp, createParts } from '../http/app.ts';
import { CallFront } from '../http/calls/call-front.ts';
import { createCallListener } from '../http/calls/node-calls.ts';
import { withDirectBodies } from '../http/send-directly.ts';
import { keepUploadBody } from '../http/upload-body.ts';
import type { Deps } from '../ports/deps.ts';
import { recoverJournals } from '../services/calls/recover-journals.ts';
import { bootstrap } from '../services/keys/bootstrap.ts';
import { refreshPrices } from '../services/prices/refresh.ts';
import { makeDataFolders } from './data-folders.ts';
import { holdDatabase, isCopied } from './data-lock.ts';
import type { Environment } from './env.ts';
import { gaugeEngine } from './gauge-engine.ts';
import { type Loaded, loadConfig } from './load.ts';
import { startLoop } from './loop.ts';
import { nodeDeps, threadedDeps } from './node-deps.ts';
import { useProxies } from './use-proxies.ts';

const COPIED =
  'the database is another file than at its last start: a copy, or moved or restored. Should a server still work on the original, ' +
  'stop one of the two: both run the same batches, which are paid twice, and remove what the other makes at providers';

export interface StartOptions {
  env: Environment;
  /** A config object in place of the config file. */
  config?: unknown;
  /** Logs nothing. */
  quiet?: boolean;
  /** Called when all code is read, the config's providers' among it, and nothing is open yet. */
  onRead?: () => void;
}

export interface RunningServer {
  url: string;
  /** The first admin key, when this start made one: to be shown once. */
  adminKey: string | null;
  /** Whether requests are in flight, or provider batches are being worked on. */
  isBusy(): boolean;
  /** Finishes what is in flight and closes everything. */
  stop(): Promise<void>;
}

/** Starts Weir on Node. Throws StartError with every problem of environment and config at once. */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const loaded = await loadConfig({
    environment: options.env,
    kinds,
    readText: (path) =>
      options.config === undefined ? readText(path) : Promise.resolve(JSON.stringify(options.config)),
  });
  options.onRead?.();
  useProxies(loaded.options.proxies);
  await makeDataFolders(loaded.options);
  const release = await holdDatabase(loaded.options);
  try {
    const server = await startLoaded(options, loaded);
    return { ...server, stop: () => server.stop().finally(release) };
  } catch (error) {
    release();
    throw error;
  }
}

async function startLoaded(options: StartOptions, loaded: Loaded): Promise<RunningServer> {
  const quiet = options.quiet === true;
  const threaded = loaded.config.settings.engineThreads === 0 ? null : await threadedDeps(loaded, options.env, quiet);
  const deps = threaded?.deps ?? (await nodeDeps(loaded, quiet));
  if (await isCopied(loaded.options.databaseUrl)) deps.log.warn({ url: loaded.options.databaseUrl }, COPIED);
  await refreshPrices(deps);
  const first = await bootstrap(deps);
  await recoverJournals(deps);
  let nudge: Deps['nudge'] = () => undefined;
  const nudging: Deps = { ...deps, nudge: (about) => nudge(about) };
  const loop = await startLoop(nudging, {
    exclusive: loaded.options.databaseUrl.startsWith('file:'),
    ...(threaded && { engine: threaded.engines(nudging) }),
  });
  nudge = (about) => loop.nudge(about);
  if (deps.metrics) gaugeEngine(loop.engine, deps.gates, deps.metrics);

  const parts = createParts(nudging);
  parts.autobatch.start();
  const takesCall = createCallListener(nudging, parts);
  const app = createApp(nudging, parts);
  app.route('/dashboard', createDashboard());
  // What whoever types the server's address into a browser means.
  app.get('/', (c) => c.redirect('dashboard'));
  const serve = getRequestListener(withDirectBodies(app.fetch, deps.log));
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    if (takesCall(request, response)) return;
    keepUploadBody(request);
    void serve(request, response);
  });
  const front = new CallFront(server, nudging, parts);
  const { host, port } = loaded.options;
  const close = async (): Promise<void> => {
    for (const gate of deps.gates.values()) gate.close();
    for (const provider of deps.providers.values()) await provider.close?.();
    await deps.inputChecks?.close();
    await deps.http.close();
    await deps.webhookSender.close();
    await deps.store.close();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    await loop.stop();
    await close();
    throw error;
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    adminKey: first?.secret ?? null,
    isBusy: () => loop.worksOnShards || [...deps.gates.values()].some((gate) => gate.inFlight > 0),
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      front.close();
      await parts.autobatch.stop();
      await Promise.all([loop.stop(), parts.calls.stop(deps.settings.drainSeconds * 1000)]);
      // Downloads and followed outputs have had the drain time; a client that is still there reconnects.
      server.closeAllConnections();
      front.closeAll();
      await closed;
      // The calls that were cut off just now have entries too.
      await parts.calls.stop(1_000);
      await parts.calls.close();
      await close();
    },
  };
}

/** Only a file that is not there counts as none: one that cannot be read must not start a server without its config. */
async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
