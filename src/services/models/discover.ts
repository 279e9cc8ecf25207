import type { Provider } from '../../../providers/contract.ts';
import type { Deps } from '../../ports/deps.ts';

export interface ModelList {
  /** null when the provider was never heard of its models. */
  models: readonly string[] | null;
  /** Why the provider's own list is missing or old, for the operator; null when all is well. */
  error: string | null;
}

interface Entry extends ModelList {
  /** Unix milliseconds until which the entry is used without asking again. */
  freshUntil: number;
}

export type DiscoverDeps = Pick<Deps, 'providers' | 'clock' | 'http' | 'settings' | 'log'>;

const ASK_TIMEOUT_MS = 10_000;
const LIST_BYTES_MAX = 16 * 1024 ** 2;
const MODELS_MAX = 10_000;
/** A provider that failed is left alone for so long. */
const FAILURE_MS = 15_000;

/** Model lists live as long as the provider they belong to. */
const entries = new WeakMap<Provider, Entry>();

/**
 * The models of every provider: what the operator listed, else what the provider itself answered of late. Never rejects:
 * a provider that does not answer leaves its reason, and its older list if there is one. Takes at most ten seconds.
 */
export async function discoverModels(deps: DiscoverDeps): Promise<Map<string, ModelList>> {
  const lists = await Promise.all(
    [...deps.providers].map(async ([name, provider]) => [name, await modelsOf(deps, provider)] as const),
  );
  return new Map(lists);
}

/** What is known without asking anyone. */
export function listedModels(deps: Pick<Deps, 'providers'>): Map<string, ModelList> {
  return new Map(
    [...deps.providers].map(([name, provider]) => [name, { models: provider.models, error: null }] as const),
  );
}

async function modelsOf(deps: DiscoverDeps, provider: Provider): Promise<ModelList> {
  if (provider.models !== null) return { models: provider.models, error: null };
  if (provider.listModels === undefined) {
    return { models: null, error: 'this provider has no list of models; name them under `models` in the config' };
  }
  const now = deps.clock.now();
  const known = entries.get(provider);
  if (known !== undefined && now < known.freshUntil) return known;
  // While one caller asks again, the others go on with the old list.
  if (known?.models != null) entries.set(provider, { ...known, freshUntil: now + ASK_TIMEOUT_MS });
  const entry = await ask(deps, provider, known?.models ?? null, now);
  entries.set(provider, entry);
  return entry;
}

async function ask(
  deps: DiscoverDeps,
  provider: Provider,
  older: readonly string[] | null,
  now: number,
): Promise<Entry> {
  const members = provider.immediate?.members ?? [];
  const call = (member: string) =>
    provider.listModels!({
      http: deps.http,
      member,
      timeoutMs: ASK_TIMEOUT_MS,
      maxResponseBytes: LIST_BYTES_MAX,
      nowMs: now,
    });
  try {
    // The members of a pool serve the same models: the first that answers speaks for all.
    const models = await Promise.any((members.length === 0 ? [''] : members.slice(0, 4)).map(call));
    const freshUntil = deps.clock.now() + deps.settings.modelListSeconds * 1000;
    return { models: [...new Set(models)].slice(0, MODELS_MAX), error: null, freshUntil };
  } catch (error) {
    const reason = reasonOf(error);
    deps.log.warn({ provider: provider.name, reason }, 'a provider did not list its models');
    return { models: older, error: reason, freshUntil: deps.clock.now() + FAILURE_MS };
  }
}

function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return (first instanceof Error ? first.message : 'it did not answer').slice(0, 300);
}
