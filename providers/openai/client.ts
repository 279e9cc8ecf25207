import type { BatchApi, Call, ImmediateApi } from '../contract.ts';
import { createOpenAIBatch } from '../shared/openai-batch.ts';
import { openaiDialect } from '../shared/openai-batch-dialect.ts';
import { toBatchLimits } from '../shared/openai-batch-settings.ts';
import { bearerHeaders, createExecute, listModels, type OpenAIAccess, type UrlOf } from '../shared/openai-client.ts';
import { endpointUrl, endpointUrls, modelsUrl, versionedBase } from '../shared/openai-endpoints.ts';
import { createStream } from '../shared/openai-stream.ts';
import type { OpenAISettings } from './config.ts';
import { readers } from './results.ts';

export interface OpenAIClient {
  immediate: ImmediateApi;
  batch?: BatchApi;
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
  const account = access.secrets.join(' ');
  const batchAccess = { ...access, baseUrl: versionedBase(baseUrl), account, dialect: openaiDialect, readers };
  return {
    immediate: {
      members: [baseUrl],
      execute: createExecute(access, urlOf, readers),
      stream: createStream(access, urlOf, readers),
    },
    ...(settings.batch !== false && {
      batch: createOpenAIBatch(batchAccess, toBatchLimits(settings.batch, openaiDialect.limits)),
    }),
    listModels: (call) => listModels(modelsUrl(baseUrl), access, call),
  };
}
