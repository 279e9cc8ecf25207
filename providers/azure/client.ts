import type { BatchApi, ImmediateApi } from '../contract.ts';
import { createOpenAIBatch } from '../shared/openai-batch.ts';
import type { BatchAccess } from '../shared/openai-batch-client.ts';
import { azureDialect } from '../shared/openai-batch-dialect.ts';
import { toBatchLimits } from '../shared/openai-batch-settings.ts';
import { bearerHeaders, createExecute, type OpenAIAccess, type UrlOf } from '../shared/openai-client.ts';
import { createStream } from '../shared/openai-stream.ts';
import { createBlobFiles } from './blob.ts';
import type { AzureSettings } from './config.ts';
import { forBatch } from './convert.ts';
import type { Deployments } from './deployments.ts';
import { readers } from './results.ts';

export interface AzureClient {
  immediate: ImmediateApi;
  batch?: BatchApi;
}

/** Calls one Azure OpenAI resource. */
export function createAzureClient(provider: string, settings: AzureSettings, deployments: Deployments): AzureClient {
  const { api_key: apiKey, ad_token: token } = settings;
  const access: OpenAIAccess = {
    provider,
    headers: Object.freeze({ ...bearerHeaders(token), ...(apiKey && { 'api-key': apiKey }) }),
    secrets: [apiKey, token].filter((text) => text !== undefined),
  };
  const endpoint = settings.endpoint.replace(/\/+$/, '').replace(/\/openai(\/v1)?$/, '');
  const { api_version: version } = settings;
  const urlOf = version === undefined ? currentUrls(endpoint) : datedUrls(endpoint, version);
  const immediate = {
    members: [settings.endpoint],
    execute: createExecute(access, urlOf, readers),
    stream: createStream(access, urlOf, readers),
  };
  const wantsBatch = settings.batch ?? settings.batch_deployments !== undefined;
  if (wantsBatch === false) return { immediate };
  return { immediate, batch: createAzureBatch(access, endpoint, settings, deployments) };
}

/** Files and batches stand beside the deployments; the client that knows a deployment would put it into their path. */
function createAzureBatch(
  access: OpenAIAccess,
  endpoint: string,
  settings: AzureSettings,
  deployments: Deployments,
): BatchApi {
  const { api_version: version } = settings;
  const { blob } = settings;
  const known = azureDialect(version !== undefined);
  // Azure OpenAI batch with blobs: no metadata, nothing to wait for, 1 GB.
  const inBlobs = { metadata: false, awaitsFile: false, limits: { ...known.limits, bytes: 1_000_000_000 } };
  const dialect = blob === undefined ? known : { ...known, ...inBlobs };
  const blobSecrets = [blob?.sas_token, blob?.account_key, blob?.ad_token].filter((text) => text !== undefined);
  const signature = new URLSearchParams(blob?.sas_token ?? '').get('sig');
  const batchAccess: BatchAccess = {
    ...access,
    baseUrl: version === undefined ? `${endpoint}/openai/v1` : `${endpoint}/openai`,
    address: endpoint,
    // A resource has one account, whichever of its keys is used.
    account: '',
    ...(version !== undefined && { query: { 'api-version': version } }),
    secrets: [...access.secrets, ...blobSecrets, ...(signature === null ? [] : [signature])],
    ...(blob && { blobs: createBlobFiles(blob) }),
    dialect,
    readers,
  };
  const batch = createOpenAIBatch(batchAccess, toBatchLimits(settings.batch, dialect.limits));
  return { ...batch, line: (key, request) => batch.line(key, forBatch(request, deployments)) };
}

/** The v1 API: OpenAI's paths, the deployment in `body.model`. */
function currentUrls(endpoint: string): UrlOf {
  return (_member, path) => `${endpoint}/openai${path}`;
}

/** The dated API names the deployment in the path, except for responses (openai-node, azure.ts `_deployments_endpoints`). */
function datedUrls(endpoint: string, version: string): UrlOf {
  return (_member, path, deployment) => {
    const rest = path.slice('/v1'.length);
    const place = path === '/v1/responses' ? '' : `/deployments/${encodeURIComponent(deployment)}`;
    return `${endpoint}/openai${place}${rest}?api-version=${version}`;
  };
}
