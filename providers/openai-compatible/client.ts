import type { BatchApi, Call, ImmediateApi } from '../contract.ts';
import { createOpenAIBatch } from '../shared/openai-batch.ts';
import { compatibleDialects } from '../shared/openai-batch-dialect.ts';
import { toBatchLimits } from '../shared/openai-batch-settings.ts';
import { bearerHeaders, createExecute, listModels, type OpenAIAccess, type UrlOf } from '../shared/openai-client.ts';
import { endpointUrl, endpointUrls, modelsUrl, versionedBase } from '../shared/openai-endpoints.ts';
import { createStream } from '../shared/openai-stream.ts';
import type { CompatibleSettings } from './config.ts';
import type { Preset } from './presets.ts';
import { readers } from './results.ts';

export interface CompatibleClient {
  immediate: ImmediateApi;
  batch?: BatchApi;
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
  const batch = createBatch(access, settings, preset);
  return {
    ...(batch !== null && { batch }),
    immediate: {
      members: [baseUrl],
      execute: createExecute(access, urlOf, readers),
      stream: createStream(access, urlOf, readers),
    },
    listModels: (call) => listModels(modelsUrl(baseUrl), access, call),
  };
}

/** The preset's batch service, or the one that the operator says is there; null when there is none. */
function createBatch(access: OpenAIAccess, settings: CompatibleSettings, preset: Preset | null): BatchApi | null {
  const { batch } = settings;
  const stated = typeof batch === 'object' ? batch.dialect : undefined;
  const name = stated ?? preset?.batch ?? (batch === undefined ? undefined : 'openai');
  if (batch === false || name === undefined) return null;
  const dialect = compatibleDialects[name];
  const baseUrl = versionedBase(settings.base_url);
  const account = access.secrets.join(' ');
  return createOpenAIBatch({ ...access, baseUrl, account, dialect, readers }, toBatchLimits(batch, dialect.limits));
}
