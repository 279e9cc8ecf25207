import type { ImmediateApi } from '../contract.ts';
import { bearerHeaders, createExecute, type OpenAIAccess, type UrlOf } from '../shared/openai-client.ts';
import type { AzureSettings } from './config.ts';
import { readers } from './results.ts';

/** Calls one Azure OpenAI resource. */
export function createAzureClient(provider: string, settings: AzureSettings): ImmediateApi {
  const { api_key: apiKey, ad_token: token } = settings;
  const access: OpenAIAccess = {
    provider,
    headers: Object.freeze({ ...bearerHeaders(token), ...(apiKey && { 'api-key': apiKey }) }),
    secrets: [apiKey, token].filter((text) => text !== undefined),
  };
  const endpoint = settings.endpoint.replace(/\/+$/, '').replace(/\/openai(\/v1)?$/, '');
  const { api_version: version } = settings;
  const urlOf = version === undefined ? currentUrls(endpoint) : datedUrls(endpoint, version);
  return { members: [settings.endpoint], execute: createExecute(access, urlOf, readers) };
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
