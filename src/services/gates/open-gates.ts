import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Gate, Gates } from '../../ports/gates.ts';
import { Budgets, openBudgets } from './budgets.ts';
import { type GateDeps, ProviderGate } from './gate.ts';

/**
 * A gate for each provider that takes single requests. There is one set of them in a thread. `served`: the names of those
 * that answered this installation before.
 */
export function openGates(deps: GateDeps & Pick<Deps, 'providers'>, served: ReadonlySet<string> = new Set()): Gates {
  const now = steadyMs(deps.clock);
  const budgets = openBudgets(deps.providers.values(), now, deps.common);
  const gates = new Map<string, Gate>();
  for (const [name, provider] of deps.providers) {
    const own = budgets.get(name) ?? new Budgets(provider.limits, now);
    if (provider.immediate) gates.set(name, new ProviderGate(deps, provider, own, served.has(name)));
  }
  return gates;
}
