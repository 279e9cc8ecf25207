/**
 * Settings for providers that are not configured: enough to lay out requests, and nothing that leads anywhere. Their
 * hosts cannot exist (RFC 2606), and credentials are given so that none are looked for on this machine.
 */
const HOST = 'https://placeholder.invalid';
const SECRET = 'placeholder';

const PLACEHOLDERS: Readonly<Record<string, (model: string) => Record<string, unknown>>> = {
  openai: () => ({ api_key: SECRET, base_url: `${HOST}/v1` }),
  azure: (model) => ({ endpoint: HOST, api_key: SECRET, deployments: { [model]: deploymentName(model) }, batch: true }),
  anthropic: () => ({ api_key: SECRET, base_url: HOST }),
  bedrock: () => ({
    region: 'us-east-1',
    role_arn: 'arn:aws:iam::000000000000:role/placeholder',
    bucket: 'placeholder',
    access_key_id: SECRET,
    secret_access_key: SECRET,
    base_url: HOST,
    runtime_endpoint: HOST,
    s3_endpoint: HOST,
  }),
  vertex: () => ({
    project: 'placeholder',
    bucket: 'placeholder',
    access_token: SECRET,
    base_url: HOST,
    storage_endpoint: HOST,
    token_url: HOST,
  }),
  'openai-compatible': () => ({ base_url: `${HOST}/v1`, api_key: SECRET, batch: true }),
};

/** Kinds that need no config to be converted for. */
export const PLACEHOLDER_KINDS: readonly string[] = Object.keys(PLACEHOLDERS);

/** The config entry of a provider of this kind that serves `model` and leads nowhere; null for kinds without batches. */
export function placeholderEntry(kind: string, model: string): Record<string, unknown> | null {
  const make = Object.hasOwn(PLACEHOLDERS, kind) ? PLACEHOLDERS[kind] : undefined;
  return make === undefined ? null : { kind, ...make(model) };
}

/** Deployments are usually named after their model. */
function deploymentName(model: string): string {
  return model.replaceAll(/[^\w.-]/g, '-').slice(0, 64);
}
