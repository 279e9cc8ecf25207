import type { ServerLoad } from '../../src/core/adaptive/load.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Call, ServedModel } from '../contract.ts';
import { parseAnswer } from './answer.ts';
import { isFields } from './error-body.ts';
import type { OpenAIAccess } from './openai-client.ts';
import { modelsUrl, serverUrl } from './openai-endpoints.ts';
import { readServerLoad } from './server-metrics.ts';

/** What a self-hosted server's own `/metrics` says of its load; null when it has none. Never rejects. */
export async function serverLoad(access: OpenAIAccess, call: Call): Promise<ServerLoad | null> {
  const response = await get(serverUrl(call.member, 'metrics'), access, call);
  return response?.status === 200 ? readServerLoad(new TextDecoder().decode(response.body)) : null;
}

/** The models that a server has loaded, with where each comes from; null when it does not tell. Never rejects. */
export async function servedModels(access: OpenAIAccess, call: Call): Promise<ServedModel[] | null> {
  const response = await get(modelsUrl(call.member), access, call);
  const json = response?.status === 200 ? parseAnswer(response.body).json : null;
  if (!isFields(json) || !Array.isArray(json.data)) return null;
  return json.data.filter(isFields).flatMap(({ id, root }) => {
    if (typeof id !== 'string') return [];
    return [{ id, root: typeof root === 'string' ? root : null }];
  });
}

async function get(url: string, { headers }: OpenAIAccess, call: Call): Promise<HttpResponse | null> {
  const { timeoutMs, maxResponseBytes, signal } = call;
  try {
    return await call.http.request({ method: 'GET', url, headers, timeoutMs, maxResponseBytes, signal });
  } catch {
    return null;
  }
}
