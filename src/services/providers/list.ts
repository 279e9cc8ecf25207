import type { Provider } from '../../../providers/contract.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { GateFigures, MemberFigures } from '../../ports/gates.ts';
import type { ProviderObject } from '../../protocol/route.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { type DiscoverDeps, discoverModels, type ModelList } from '../models/discover.ts';
import { countAlerts } from '../shards/alerts.ts';

/** The configured providers and what is known of them, never their settings. Throws 403 for others than admins. */
export async function listProviders(
  deps: DiscoverDeps & Pick<Deps, 'store' | 'gates'>,
  context: Pick<Context, 'actor'>,
): Promise<ProviderObject[]> {
  requireAdmin(context.actor);
  const [lists, alerts] = await Promise.all([discoverModels(deps), countAlerts(deps)]);
  return [...deps.providers.values()].map((provider) => {
    const own = alerts.filter((alert) => alert.provider === provider.name);
    const figures = deps.gates.get(provider.name)?.figures();
    return {
      ...present(provider, lists.get(provider.name)),
      ...presentFigures(figures),
      alerts: own.map(({ provider: _name, ...rest }) => rest),
    };
  });
}

function present(provider: Provider, list: ModelList | undefined): Omit<ProviderObject, 'alerts' | LiveField> {
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
  };
}

type LiveField = 'health' | 'in_flight' | 'calls_waiting' | 'batch_open' | 'members' | 'unreachable' | 'held';

/** `figures`: absent for a provider that takes no single requests. */
function presentFigures(figures: GateFigures | undefined): Pick<ProviderObject, LiveField> {
  const members = figures?.members ?? [];
  return {
    health: healthOf(members),
    in_flight: figures?.inFlight ?? 0,
    calls_waiting: figures?.callsWaiting ?? 0,
    batch_open: figures?.batchOpen ?? true,
    unreachable: figures?.unreachable ?? null,
    held: figures?.held ?? [],
    members: members.map((member) => ({
      name: member.name,
      limit: member.limit,
      in_flight: member.inFlight,
      answered: member.answered,
      failed: member.failed,
      latency_ms: member.latencyMs === null ? null : Math.round(member.latencyMs * 10) / 10,
      breaker: member.breaker,
      health: member.health,
      health_reason: member.healthReason,
      load: member.load && {
        running: member.load.running,
        waiting: member.load.waiting,
        cache_usage: member.load.cacheUsage,
        prefix_hit_rate: member.load.prefixHitRate,
      },
    })),
  };
}

/** Healthy while one member is: known to be so by its check, or because it answered. */
function healthOf(members: readonly MemberFigures[]): ProviderObject['health'] {
  const bad = (member: MemberFigures) =>
    member.breaker !== 'closed' || member.health === 'unhealthy' || member.health === 'wrong_model';
  if (members.length > 0 && members.every(bad)) return 'unhealthy';
  return members.some((member) => !bad(member) && (member.health === 'healthy' || member.answered > 0))
    ? 'healthy'
    : 'unknown';
}

function modelsFrom(provider: Provider, list: ModelList | undefined): ProviderObject['models_from'] {
  if (provider.models !== null) return 'config';
  return list?.models == null ? 'unknown' : 'provider';
}
