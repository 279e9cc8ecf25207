import type { Provider } from '../../../providers/contract.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ProviderObject } from '../../protocol/route.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { type DiscoverDeps, discoverModels, type ModelList } from '../models/discover.ts';
import { countAlerts } from '../shards/alerts.ts';

/** The configured providers and what is known of them, never their settings. Throws 403 for others than admins. */
export async function listProviders(
  deps: DiscoverDeps & Pick<Deps, 'store'>,
  context: Pick<Context, 'actor'>,
): Promise<ProviderObject[]> {
  requireAdmin(context.actor);
  const [lists, alerts] = await Promise.all([discoverModels(deps), countAlerts(deps)]);
  return [...deps.providers.values()].map((provider) => {
    const own = alerts.filter((alert) => alert.provider === provider.name);
    return { ...present(provider, lists.get(provider.name)), alerts: own.map(({ provider: _name, ...rest }) => rest) };
  });
}

function present(provider: Provider, list: ModelList | undefined): Omit<ProviderObject, 'alerts'> {
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
