import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Answered, type KeyOf } from './answered.ts';
import type { ObjectStore } from './gcs-objects.ts';
import type { ServiceAccountKey, TokenService } from './google-token.ts';
import { serve } from './vertex-delivery.ts';
import type { SimulatedJobs } from './vertex-jobs.ts';
import type { VertexChanges } from './vertex-settings.ts';
import { Simulation, type VertexCounters } from './vertex-simulation.ts';

export interface VertexServerOptions extends VertexChanges {
  /** TCP port on 127.0.0.1; 0 (the default) takes a free one. */
  port?: number;
  /** Buckets that are there from the start. */
  buckets?: readonly string[];
  /** What `jobs.answered` counts by. */
  count_by?: KeyOf;
}

/** A simulated Vertex AI with its Cloud Storage and token endpoint, on 127.0.0.1. */
export interface VertexServer {
  readonly port: number;
  /** For `base_url` and `storage_endpoint`. */
  readonly url: string;
  readonly tokenUrl: string;
  /** A key file that its token endpoint accepts. */
  readonly credentials: ServiceAccountKey;
  readonly counters: Readonly<VertexCounters>;
  readonly store: ObjectStore;
  readonly jobs: SimulatedJobs;
  readonly tokens: TokenService;
  configure(changes: VertexChanges): void;
  /** Takes every job one state further. */
  advance(): void;
  /** Cuts every connection and refuses new ones; what is stored stays. */
  crash(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const host = '127.0.0.1';

/** Starts one. Throws InvalidSettings for wrong options and Node's error if the port is taken. */
export async function startVertexServer(options: VertexServerOptions = {}): Promise<VertexServer> {
  const { port: wantedPort = 0, buckets = ['sim-bucket'], count_by: countBy, ...changes } = options;
  const simulation = new Simulation();
  simulation.configure(changes);
  simulation.jobs.answered = new Answered(countBy);
  for (const bucket of buckets) simulation.store.makeBucket(bucket);
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
    serve(simulation, request, response).catch(() => response.destroy());
  });
  const port = await listen(server, wantedPort);
  const url = `http://${host}:${port}`;
  const goDown = async () => {
    if (!server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  };
  return {
    port,
    url,
    tokenUrl: `${url}/token`,
    get credentials() {
      return simulation.tokens.key(`${url}/token`);
    },
    counters: simulation.counters,
    store: simulation.store,
    jobs: simulation.jobs,
    tokens: simulation.tokens,
    configure: (live) => simulation.configure(live),
    advance: () => simulation.jobs.advance(),
    crash: goDown,
    async restart() {
      if (!server.listening) await listen(server, port);
    },
    stop: goDown,
  };
}

async function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host, port }, resolve);
  try {
    await promise;
  } finally {
    server.off('error', reject);
  }
  return (server.address() as AddressInfo).port;
}
