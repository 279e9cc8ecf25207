import type { Call, ImmediateApi } from '../contract.ts';
import {
  bearerHeaders,
  createExecute,
  listModels,
  type OpenAIAccess,
  probe,
  type UrlOf,
} from '../shared/openai-client.ts';
import { endpointUrl, endpointUrls, healthUrl, modelsUrl } from '../shared/openai-endpoints.ts';
import { createStream } from '../shared/openai-stream.ts';
import { servedModels, serverLoad } from '../shared/server-state.ts';
import type { VllmSettings } from './config.ts';
import { withPriority } from './convert.ts';
import { readers } from './results.ts';
import { refusesPriority } from './status.ts';

/** A server that refused `priority` may have been started again since, with what it takes. */
const REFUSED_MS = 10 * 60_000;

export interface VllmClient {
  immediate: ImmediateApi & { healthy(call: Call): Promise<boolean> };
  listModels(call: Call): Promise<string[]>;
}

/** Calls one pool of self-hosted servers; `call.member` says which. */
export function createVllmClient(provider: string, settings: VllmSettings): VllmClient {
  const { api_key: apiKey, base_urls: members } = settings;
  const access: OpenAIAccess = {
    provider,
    headers: Object.freeze(bearerHeaders(apiKey)),
    secrets: apiKey === undefined ? [] : [apiKey],
  };
  const urls = endpointUrls(members);
  const urlOf: UrlOf = (member, endpoint) => urls.get(member)?.get(endpoint) ?? endpointUrl(member, endpoint);
  return {
    immediate: {
      members,
      prefixCache: settings.prefix_affinity,
      execute: withBatchPriority(createExecute(access, urlOf, readers), settings.batch_priority),
      stream: createStream(access, urlOf, readers),
      healthy: (call) => isHealthy(access, call),
      load: (call) => serverLoad(access, call),
      served: (call) => servedModels(access, call),
    },
    listModels: (call) => listModels(modelsUrl(call.member), access, call),
  };
}

/**
 * Gives batch lines the priority that lets calls pass them in the server's own queue. vLLM without `--scheduling-policy
 * priority`, and servers that refuse what they do not know, would fail all lines for it: there it is left out.
 */
function withBatchPriority(execute: ImmediateApi['execute'], priority: number | undefined): ImmediateApi['execute'] {
  if (priority === undefined) return execute;
  const refusedAt = new Map<string, number>();
  return async (request, call) => {
    const { member, nowMs, traffic } = call;
    if (traffic !== 'batch' || nowMs - (refusedAt.get(member) ?? -REFUSED_MS) < REFUSED_MS) {
      return execute(request, call);
    }
    const body = withPriority(request.body, priority);
    const result = await execute({ ...request, body }, call);
    if (result.ok || body === request.body || !refusesPriority(result.failure)) return result;
    refusedAt.set(member, nowMs);
    return execute(request, call);
  };
}

/** `/health` where there is one (vLLM, SGLang, TGI, llama.cpp), else whether the model list answers (Ollama). */
async function isHealthy(access: OpenAIAccess, call: Call): Promise<boolean> {
  const status = await probe(healthUrl(call.member), access, call);
  if (status === 200) return true;
  if (status !== 404 && status !== 405) return false;
  return (await probe(modelsUrl(call.member), access, call)) === 200;
}
