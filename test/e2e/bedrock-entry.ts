import type { SimulatedBedrock } from '../../providers/sandbox/servers/bedrock.ts';

/** The key that a simulated service demands, and a provider's config gives. */
export interface BedrockCaller {
  access_key_id: string;
  secret_access_key: string;
  session_token: string;
}

/** A provider's config entry for a simulated Bedrock, with `more` settings of its own. */
export function bedrockEntry(
  server: SimulatedBedrock,
  caller: BedrockCaller,
  model: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    kind: 'bedrock',
    region: 'us-east-1',
    ...caller,
    role_arn: 'arn:aws:iam::123456789012:role/weir-batch',
    bucket: server.s3.settings.bucket,
    models: [model],
    base_url: server.url,
    runtime_endpoint: server.url,
    s3_endpoint: server.s3.url,
    ...more,
  };
}
