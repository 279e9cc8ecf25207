/** What can go wrong at each simulated batch service, and how it is made right again. */
import type { NativeServices, ServiceName } from '../e2e/native-services.ts';
import type { ServiceTrouble } from './actions.ts';

type Servers = NativeServices['servers'];
type Begin = Record<ServiceTrouble, () => unknown>;

/** Begins the trouble; the returned function ends it. */
export async function troubleService(
  servers: Servers,
  service: ServiceName,
  trouble: ServiceTrouble,
): Promise<() => Promise<void>> {
  const { begin, end } = ways(servers, service);
  await begin[trouble]();
  return async () => {
    await end();
  };
}

function ways(servers: Servers, service: ServiceName): { begin: Begin; end: () => unknown } {
  switch (service) {
    case 'openai':
    case 'azure':
      return openAIWays(servers[service]);
    case 'bedrock':
      return bedrockWays(servers.bedrock);
    case 'vertex':
      return vertexWays(servers.vertex);
    case 'anthropic':
      return anthropicWays(servers.anthropic);
  }
}

function openAIWays(server: Servers['openai']): ReturnType<typeof ways> {
  let isDown = false;
  return {
    begin: {
      refuse: () => server.configure({ faults: [{ on: 'any', fault: 503, times: null }] }),
      'lose answers': () =>
        server.configure({
          faults: [
            { on: 'upload', fault: 'lose_answer' },
            { on: 'create', fault: 'lose_answer', times: 2 },
          ],
        }),
      nonsense: () =>
        server.configure({
          faults: [
            { on: 'poll', fault: 'html' },
            { on: 'poll', fault: 'truncated' },
            { on: 'create', fault: 'empty' },
            { on: 'poll', fault: 404 },
          ],
        }),
      crash: () => {
        isDown = true;
        return server.crash();
      },
      'slow jobs': () => server.configure({ stop_at: 0.5 }),
      'bad downloads': () =>
        server.configure({
          faults: [
            { on: 'content', fault: 'cut', times: 2 },
            { on: 'content', fault: 'shorten' },
            { on: 'content', fault: 500 },
          ],
        }),
    },
    end: async () => {
      server.configure({ faults: [], stop_at: null });
      if (isDown) await server.restart();
    },
  };
}

function bedrockWays(server: Servers['bedrock']): ReturnType<typeof ways> {
  const { s3 } = server;
  const refusal = { name: 'ServiceUnavailableException', status: 503 };
  return {
    begin: {
      refuse: () => server.configure({ faults: [{ on: 'any', fault: refusal, times: null }] }),
      'lose answers': () => server.configure({ faults: [{ on: 'create', fault: 'lose_answer', times: 2 }] }),
      nonsense: () =>
        server.configure({
          faults: [
            { on: 'get', fault: 'html' },
            { on: 'create', fault: 'truncated' },
            { on: 'get', fault: 'unknown_status' },
          ],
        }),
      crash: () => s3.configure({ fail: { operation: null, status: 503, code: 'SlowDown', times: null } }),
      'slow jobs': () => server.configure({ stop_at: 0.5 }),
      'bad downloads': () => s3.configure({ cut_after_bytes: 300, cut_times: 3 }),
    },
    end: () => {
      server.configure({ faults: [], stop_at: null });
      s3.configure({ fail: null, cut_after_bytes: null, cut_times: 0 });
    },
  };
}

function vertexWays(server: Servers['vertex']): ReturnType<typeof ways> {
  const jobs = 'batchPredictionJobs';
  let isDown = false;
  return {
    begin: {
      refuse: () => server.configure({ faults: [{ on: '.', fault: 503, times: 1_000 }] }),
      'lose answers': () => server.configure({ faults: [{ on: `POST .*${jobs}`, fault: 'lost', times: 2 }] }),
      nonsense: () =>
        server.configure({
          faults: [
            { on: `GET .*${jobs}/`, fault: 'html' },
            { on: `GET .*${jobs}/`, fault: 'truncated' },
            { on: `POST .*${jobs}`, fault: 'empty' },
          ],
        }),
      crash: () => {
        isDown = true;
        return server.crash();
      },
      'slow jobs': () => server.configure({ hold_before: 'JOB_STATE_SUCCEEDED' }),
      'bad downloads': () => server.configure({ faults: [{ on: 'alt=media', fault: 'half', times: 3 }] }),
    },
    end: async () => {
      server.configure({ faults: [], hold_before: null });
      if (isDown) await server.restart();
    },
  };
}

function anthropicWays(server: Servers['anthropic']): ReturnType<typeof ways> {
  let isDown = false;
  return {
    begin: {
      refuse: () => server.configure({ fail_on: 'any', fail_with: 503, fail_count: null }),
      'lose answers': () => server.configure({ fail_on: 'create', fail_with: 'lost_answer', fail_count: 2 }),
      nonsense: () => server.configure({ fail_on: 'retrieve', fail_with: 'html', fail_count: 3 }),
      crash: () => {
        isDown = true;
        return server.crash();
      },
      'slow jobs': () => server.configure({ hold: 'half' }),
      'bad downloads': () => server.configure({ cut_results: 'unannounced' }),
    },
    end: async () => {
      server.configure({ fail_on: 'any', fail_with: null, fail_count: null, hold: false, cut_results: null });
      if (isDown) await server.restart();
    },
  };
}
