import { steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Gate, Gates } from '../../ports/gates.ts';
import { Budgets, openBudgets } from './budgets.ts';
import { type GateDeps, ProviderGate } from './gate.ts';

/**
 * A gate for each provider that takes single requests. There is one set of them in a process; of several processes
 * that call the same providers, each takes a `share` (0 to 1) of their limits.
 */
export function openGates(deps: GateDeps & Pick<Deps, 'providers'>, share = 1): Gates {
  const now = steadyMs(deps.clock);
  const budgets = openBudgets(deps.providers.values(), share, now);
  const gates = new Map<string, Gate>();
  for (const [name, provider] of deps.providers) {
    const own = budgets.get(name) ?? new Budgets(provider.limits, share, now);
    if (provider.immediate) gates.set(name, new ProviderGate(deps, provider, own, share));
  }
  return gates;
}
