import { priceModeOf } from '../../src/core/rates.ts';

/** What to tell of the service tier that an answer names: nothing of the usual one and of batches. */
export function tierWarnings(tier: string | null): string[] {
  const mode = priceModeOf(tier === 'batch', tier);
  if (mode === 'standard' || mode === 'batch') return [];
  const name = (tier ?? '').slice(0, 40);
  return [`service_tier: served as ${name}, ${mode === null ? 'whose price is not known' : 'and priced so'}`];
}
