import type { Call, ImmediateApi } from '../contract.ts';
import { bearerHeaders, createExecute, listModels, type OpenAIAccess, type UrlOf } from '../shared/openai-client.ts';
import { endpointUrl, endpointUrls, modelsUrl } from '../shared/openai-endpoints.ts';
import type { OpenAISettings } from './config.ts';
import { readers } from './results.ts';

export interface OpenAIClient {
  immediate: ImmediateApi;
  listModels(call: Call): Promise<string[]>;
}

/** Calls OpenAI, or a proxy of it. */
export function createOpenAIClient(provider: string, settings: OpenAISettings): OpenAIClient {
  const { api_key: apiKey, base_url: baseUrl, organization, project } = settings;
  const access: OpenAIAccess = {
    provider,
    headers: Object.freeze({
      ...bearerHeaders(apiKey),
      ...(organization && { 'openai-organization': organization }),
      ...(project && { 'openai-project': project }),
    }),
    secrets: [apiKey, organization, project].filter((text) => text !== undefined),
  };
  const urls = endpointUrls([baseUrl]).get(baseUrl);
  const urlOf: UrlOf = (_member, endpoint) => urls?.get(endpoint) ?? endpointUrl(baseUrl, endpoint);
  return {
    immediate: { members: [baseUrl], execute: createExecute(access, urlOf, readers) },
    listModels: (call) => listModels(modelsUrl(baseUrl), access, call),
  };
}
