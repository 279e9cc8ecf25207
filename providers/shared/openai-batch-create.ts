import { refusal } from '../../src/core/failure.ts';
import { ProviderError, type ShardInput } from '../contract.ts';
import { isFields } from './error-body.ts';
import type { BatchAccess } from './openai-batch-client.ts';
import { tokenKey } from './openai-batch-object.ts';

/** Fields of the create call that are not the client's to set. */
const reserved = ['input_file_id', 'input_files', 'endpoint', 'model', 'input_blob', 'output_folder'];

/**
 * The body of the create call for a file id. The client's options are checked first, so that nothing is uploaded for a call that
 * cannot be made. Throws ProviderError naming the option.
 */
export function createBody(access: BatchAccess, input: ShardInput): (fileId: string) => Record<string, unknown> {
  const { dialect, blobs } = access;
  const { metadata, completion_window: wanted = dialect.window ?? undefined, ...options } = input.options;
  for (const name of reserved) {
    if (Object.hasOwn(options, name)) refuse(`provider_options.${name} is set by Weir. Remove it.`, name);
  }
  if (wanted !== undefined && dialect.windows?.includes(String(wanted)) === false) {
    refuse(`completion_window may be ${dialect.windows.join(' or ')} for ${access.provider}.`, 'completion_window');
  }
  if (metadata !== undefined && !isStringMap(metadata)) refuse('metadata must be an object of texts.', 'metadata');
  const marked = { ...(isFields(metadata) ? metadata : {}), [tokenKey]: input.token };
  if (Object.keys(marked).length > 16)
    refuse('metadata may have at most 15 pairs here: one carries the token.', 'metadata');
  const endpoint = dialect.urlPrefix + input.endpoint.slice('/v1'.length);
  return (fileId) => ({
    ...options,
    ...(dialect.create === 'mistral'
      ? { input_files: [fileId], model: input.model }
      : {
          ...(blobs
            ? { input_file_id: null, input_blob: fileId, output_folder: { url: blobs.folder } }
            : { input_file_id: fileId }),
          ...(wanted !== undefined && { completion_window: wanted }),
        }),
    endpoint,
    ...(dialect.metadata && { metadata: marked }),
  });
}

function isStringMap(value: unknown): boolean {
  return isFields(value) && Object.values(value).every((item) => typeof item === 'string');
}

function refuse(message: string, param: string): never {
  throw new ProviderError(refusal('invalid_request', 'invalid_value', message, param));
}
