import type { Provider } from '../../../providers/contract.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ProviderObject } from '../../protocol/route.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { type DiscoverDeps, discoverModels, type ModelList } from '../models/discover.ts';

/** The configured providers and what is known of them, never their settings. Throws 403 for others than admins. */
export async function listProviders(
  deps: DiscoverDeps & Pick<Deps, 'providers'>,
  context: Pick<Context, 'actor'>,
): Promise<ProviderObject[]> {
  requireAdmin(context.actor);
  const lists = await discoverModels(deps);
  return [...deps.providers.values()].map((provider) => present(provider, lists.get(provider.name)));
}

function present(provider: Provider, list: ModelList | undefined): ProviderObject {
  const { limits } = provider;
  return {
    object: 'provider',
    name: provider.name,
    kind: provider.kind,
    endpoints: [...provider.endpoints],
    models: [...(list?.models ?? [])],
    models_from: modelsFrom(provider, list),
    models_error: list?.error ?? null,
    limits: {
      concurrency: limits.concurrency,
      requests_per_minute: limits.requestsPerMinute,
      tokens_per_minute: limits.tokensPerMinute,
    },
    health: 'unknown',
  };
}

function modelsFrom(provider: Provider, list: ModelList | undefined): ProviderObject['models_from'] {
  if (provider.models !== null) return 'config';
  return list?.models == null ? 'unknown' : 'provider';
}
