import { refusal } from '../../src/core/failure.ts';
import { type Call, type ImmediateApi, ProviderError, type Result } from '../contract.ts';
import { bearerHeaders, createExecute, listModels, type OpenAIAccess, probe } from '../shared/openai-client.ts';
import { endpointUrl, healthUrl, modelsUrl } from '../shared/openai-endpoints.ts';
import { createStream } from '../shared/openai-stream.ts';
import { serverLoad } from '../shared/server-state.ts';
import type { SandboxSettings } from './config.ts';
import { readers } from './results.ts';
import type { SimulatedServer } from './servers/openai-compatible.ts';

export interface SandboxClient {
  immediate: ImmediateApi & { healthy(call: Call): Promise<boolean> };
  listModels(call: Call): Promise<string[]>;
  close(): Promise<void>;
}

/** Calls a simulated server of its own, which the first call starts and `close` stops. */
export function createSandboxClient(provider: string, settings: SandboxSettings): SandboxClient {
  const apiKey = settings.server.api_key ?? undefined;
  const access: OpenAIAccess = {
    provider,
    headers: Object.freeze(bearerHeaders(apiKey)),
    secrets: apiKey === undefined ? [] : [apiKey],
  };
  const server = new LazyServer(settings.server);
  const execute = createExecute(access, endpointUrl, readers);
  const stream = createStream(access, endpointUrl, readers);
  return {
    immediate: {
      // The address is known once the server runs; until then the name stands for it.
      members: [`sandbox:${provider}`],
      async execute(request, call): Promise<Result> {
        const member = await server.address();
        return member === null ? notRunning(provider) : execute(request, { ...call, member });
      },
      async stream(request, options, call) {
        const member = await server.address();
        return member === null ? notRunning(provider) : stream(request, options, { ...call, member });
      },
      // A look at it does not start it.
      async healthy(call) {
        const member = await server.runningAt();
        return member === null ? !server.isStopped : (await probe(healthUrl(member), access, call)) === 200;
      },
      async load(call) {
        const member = await server.runningAt();
        return member === null ? null : serverLoad(access, { ...call, member });
      },
    },
    async listModels(call) {
      const member = await server.address();
      if (member === null) throw new ProviderError(notRunning(provider).failure);
      return listModels(modelsUrl(member), access, call);
    },
    close: () => server.stop(),
  };
}

function notRunning(provider: string): Extract<Result, { ok: false }> {
  const message = `${provider}: the simulated server is stopped, or cannot run on this platform.`;
  const failure = refusal('connection', 'connection_error', message);
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}

class LazyServer {
  readonly #settings: SandboxSettings['server'];
  #starting: Promise<SimulatedServer | null> | null = null;
  #isStopped = false;

  constructor(settings: SandboxSettings['server']) {
    this.#settings = settings;
  }

  /** The base URL of the running server; null when it was stopped or cannot start. */
  async address(): Promise<string | null> {
    if (this.#isStopped) return null;
    this.#starting ??= this.#start();
    return (await this.#starting)?.baseUrl ?? null;
  }

  /** The base URL, if the server was started; null otherwise. */
  async runningAt(): Promise<string | null> {
    return this.#isStopped || this.#starting === null ? null : this.address();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await (await this.#starting)?.stop();
  }

  async #start(): Promise<SimulatedServer | null> {
    try {
      // Imported late: it needs node:http servers, which Workers lack.
      const { startOpenAICompatibleServer } = await import('./servers/openai-compatible.ts');
      return await startOpenAICompatibleServer(this.#settings);
    } catch {
      return null;
    }
  }
}
