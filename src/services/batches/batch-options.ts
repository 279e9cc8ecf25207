import { Buffer } from 'node:buffer';
import { ApiError } from '../../core/api-error.ts';
import { suggestion } from '../../core/close-names.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchOptions } from '../../ports/store-batches.ts';
import type { BatchCreate } from '../../protocol/batch.ts';

const PROVIDER_OPTIONS_BYTES_MAX = 16_384;

/**
 * What a new batch asks of its provider batches; null when it asks nothing. Throws 400 for options that are too large or
 * that would have no effect: of an unknown provider, of one without a batch service, or in a batch that runs at once.
 * Which fields a create call takes is the provider's to say, when it is made.
 */
export function readBatchOptions(
  deps: Pick<Deps, 'providers'>,
  input: Pick<BatchCreate, 'provider_options' | 'include_raw' | 'completion_window'>,
): BatchOptions | null {
  const providerOptions = input.provider_options ?? {};
  const includeRaw = input.include_raw ?? false;
  const names = Object.keys(providerOptions);
  if (names.length === 0) return includeRaw ? { providerOptions, includeRaw } : null;
  if (input.completion_window === 'immediate') {
    throw refused(
      'provider_options',
      "'provider_options' are for provider batches, and a batch with completion_window 'immediate' makes none. Remove them, or use a window such as '24h'.",
    );
  }
  for (const name of names) checkProvider(deps, name);
  const bytes = jsonBytes(providerOptions);
  if (bytes === null || bytes > PROVIDER_OPTIONS_BYTES_MAX) {
    const what = bytes === null ? 'are nested too deeply' : `have ${bytes} bytes as JSON`;
    throw refused(
      'provider_options',
      `'provider_options' ${what}; at most ${PROVIDER_OPTIONS_BYTES_MAX} bytes are taken.`,
    );
  }
  return { providerOptions, includeRaw };
}

function checkProvider({ providers }: Pick<Deps, 'providers'>, name: string): void {
  const shown = name.slice(0, 64);
  const param = `provider_options.${shown}`;
  const provider = providers.get(name);
  if (!provider) {
    const hint = suggestion(name, providers.keys());
    throw refused(param, `'${param}': there is no provider '${shown}' in the server's config.${hint}`);
  }
  if (!provider.batch) {
    throw refused(
      param,
      `'${param}': provider '${shown}' has no batch service here, so its options would have no effect. Remove them.`,
    );
  }
}

/** Bytes of a value as JSON; null when it is nested deeper than can be written. */
function jsonBytes(value: unknown): number | null {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function refused(param: string, message: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_value', param });
}
