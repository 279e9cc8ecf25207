import { refusal } from '../../src/core/failure.ts';
import { ProviderError, type ShardInput } from '../contract.ts';
import { isFields } from '../shared/error-body.ts';
import { tokenLabel } from './jobs.ts';
import { type Family, modelPath } from './models.ts';
import { keyField } from './rows.ts';

/**
 * The create call of a job. The token stands in its label and its display name. `key`, which is Weir's own, is kept from
 * the model and comes back with the answer (InstanceConfig.excludedFields). Rejects options it does not know: a client
 * must not choose places or identities.
 */
export function createBody(
  input: ShardInput,
  kind: Family['kind'],
  place: { input_uri: string; output_prefix: string },
): Record<string, unknown> {
  const { labels, encryptionSpec } = readOptions(input.options);
  return {
    displayName: `weir-${input.token}`,
    model: modelPath(input.model),
    inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: [place.input_uri] } },
    outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: place.output_prefix } },
    labels: { ...labels, [tokenLabel]: input.token },
    ...(kind !== 'claude' && {
      instanceConfig: { instanceType: 'object', includedFields: [], excludedFields: [keyField] },
    }),
    ...(kind === 'embedding' && { modelParameters: { autoTruncate: false } }),
    ...(encryptionSpec !== null && { encryptionSpec }),
  };
}

interface Options {
  labels: Record<string, string>;
  encryptionSpec: { kmsKeyName: string } | null;
}

function readOptions(options: ShardInput['options']): Options {
  const read: Options = { labels: {}, encryptionSpec: null };
  for (const [name, value] of Object.entries(options)) {
    switch (name) {
      case 'labels':
        read.labels = readLabels(value);
        break;
      case 'encryptionSpec':
      case 'encryption_spec':
        read.encryptionSpec = { kmsKeyName: readKeyName(value, name) };
        break;
      default:
        refuse(name, 'is not an option of this provider: labels and encryption_spec are');
    }
  }
  return read;
}

function readLabels(value: unknown): Record<string, string> {
  if (!isFields(value)) return refuse('labels', 'must be an object');
  const labels: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    const isLabel = /^[a-z][a-z0-9_-]{0,62}$/.test(name) && typeof text === 'string' && /^[a-z0-9_-]{0,63}$/.test(text);
    if (!isLabel) refuse('labels', 'takes names and values of at most 63 of a-z, 0-9, _ and -');
    labels[name] = String(text);
  }
  return labels;
}

function readKeyName(value: unknown, name: string): string {
  const key = isFields(value) ? (value.kmsKeyName ?? value.kms_key_name) : undefined;
  const isKey =
    typeof key === 'string' &&
    /^projects\/[\w.:-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+$/.test(key);
  return isKey ? key : refuse(name, 'needs the resource name of a key as kmsKeyName');
}

function refuse(name: string, what: string): never {
  const param = `provider_options.${name}`;
  throw new ProviderError(refusal('invalid_request', 'invalid_value', `'${param}' ${what}.`, param));
}
