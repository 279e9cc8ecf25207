export { usageFromMessage as readUsage } from '../shared/anthropic-messages-usage.ts';

/** Inference that may run anywhere, or of models that cannot be bound. */
const UNBOUND = ['global', 'not_available'];

/** Where inference was bound to: the US, at 1.1 times the price of what may run anywhere (data residency guide). */
export function billedRegion(rawUsage: object): string | null {
  const geo = 'inference_geo' in rawUsage ? rawUsage.inference_geo : null;
  return typeof geo === 'string' && !UNBOUND.includes(geo) ? geo : null;
}
