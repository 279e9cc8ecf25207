import type { AwsCredentials } from '../shared/sigv4.ts';
import { type BedrockSettings, domainOf } from './config.ts';

/** How this provider reaches AWS. SDK clients are made on first use: they are heavy, and immediate calls need none. */
export interface Access {
  readonly provider: string;
  readonly settings: BedrockSettings;
  /** The values that must not appear in any text. */
  readonly secrets: readonly string[];
  readonly endpoints: { control: string; runtime: string };
  credentials(): Promise<AwsCredentials>;
  control(): Promise<Control>;
  objects(): Promise<Objects>;
  close(): Promise<void>;
}

export type BedrockSdk = typeof import('@aws-sdk/client-bedrock');
export type S3Sdk = typeof import('@aws-sdk/client-s3');

/** The SDK's module beside its client, so that commands need no import of their own. */
export interface Control {
  sdk: BedrockSdk;
  client: InstanceType<BedrockSdk['BedrockClient']>;
}

export interface Objects {
  sdk: S3Sdk;
  client: InstanceType<S3Sdk['S3Client']>;
}

/** Private, so that a provider that is printed does not show its credentials. */
export function createAccess(provider: string, settings: BedrockSettings): Access {
  const { region } = settings;
  const fixed = fixedCredentials(settings);
  let control: Promise<Control> | null = null;
  let objects: Promise<Objects> | null = null;
  const common = { region, maxAttempts: 1, ...(fixed !== null && { credentials: fixed }) };

  const access = {
    provider,
    settings,
    secrets: secretsOf(settings),
    endpoints: {
      control: settings.base_url ?? `https://bedrock.${region}.${domainOf(region)}`,
      runtime: (settings.runtime_endpoint ?? `https://bedrock-runtime.${region}.${domainOf(region)}`).replace(
        /\/+$/,
        '',
      ),
    },
    async credentials() {
      if (fixed !== null) return fixed;
      // The SDK resolves its default chain, keeps the answer and renews it before it ends.
      const { client } = await access.control();
      return client.config.credentials();
    },
    control() {
      control ??= import('@aws-sdk/client-bedrock').then((sdk) => ({
        sdk,
        client: new sdk.BedrockClient({ ...common, ...(settings.base_url && { endpoint: settings.base_url }) }),
      }));
      return control;
    },
    objects() {
      objects ??= import('@aws-sdk/client-s3').then((sdk) => ({
        sdk,
        client: new sdk.S3Client({
          ...common,
          // Bodies are signed whole; other stores of this API do not know the SDK's newer checksums.
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
          followRegionRedirects: false,
          ...(settings.s3_endpoint && { endpoint: settings.s3_endpoint, forcePathStyle: true }),
        }),
      }));
      return objects;
    },
    async close() {
      (await control)?.client.destroy();
      (await objects)?.client.destroy();
    },
  };
  return access;
}

function fixedCredentials(settings: BedrockSettings): AwsCredentials | null {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken } = settings;
  if (accessKeyId === undefined || secretAccessKey === undefined) return null;
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

/** Account, role and bucket name the operator's resources: tenants need not see them either. */
function secretsOf(settings: BedrockSettings): string[] {
  const { access_key_id, secret_access_key, session_token, role_arn, bucket, kms_key_id } = settings;
  return [secret_access_key, session_token, access_key_id, role_arn, kms_key_id, bucket].filter(
    (text) => text !== undefined,
  );
}
