import { ProviderError } from '../contract.ts';

/** Whether a provider answered 404: what was asked for is not there, or not yet. */
export function is404(error: unknown): boolean {
  return error instanceof ProviderError && error.failure.status === 404;
}
