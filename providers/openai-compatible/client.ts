import type { Call, ImmediateApi } from '../contract.ts';
import { bearerHeaders, createExecute, listModels, type OpenAIAccess, type UrlOf } from '../shared/openai-client.ts';
import { endpointUrl, endpointUrls, modelsUrl } from '../shared/openai-endpoints.ts';
import type { CompatibleSettings } from './config.ts';
import type { Preset } from './presets.ts';
import { readers } from './results.ts';

export interface CompatibleClient {
  immediate: ImmediateApi;
  listModels(call: Call): Promise<string[]>;
}

/** Calls one service that speaks OpenAI's API. */
export function createCompatibleClient(
  provider: string,
  settings: CompatibleSettings,
  preset: Preset | null,
): CompatibleClient {
  const { api_key: apiKey, base_url: baseUrl } = settings;
  const access: OpenAIAccess = {
    provider,
    headers: Object.freeze({ ...bearerHeaders(apiKey), ...preset?.headers }),
    secrets: apiKey === undefined ? [] : [apiKey],
  };
  const urls = endpointUrls([baseUrl]).get(baseUrl);
  const urlOf: UrlOf = (_member, endpoint) => urls?.get(endpoint) ?? endpointUrl(baseUrl, endpoint);
  return {
    immediate: { members: [baseUrl], execute: createExecute(access, urlOf, readers) },
    listModels: (call) => listModels(modelsUrl(baseUrl), access, call),
  };
}
