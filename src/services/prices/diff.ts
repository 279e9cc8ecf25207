import { compareWithHeld, type PriceChange } from '../../core/price-import.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { PriceObject } from '../../protocol/price.ts';
import { genaiPrices } from './genai.ts';
import { listPrices } from './list.ts';

const PAGE = 1_000;

/**
 * What @pydantic/genai-prices has otherwise than the prices that hold now, model by model, with what would have to be
 * stated to follow it. Prices of regions and of hours are not compared. Reads only.
 */
export async function diffPrices(
  deps: Pick<Deps, 'prices' | 'clock'>,
  { provider }: { provider?: string | undefined },
): Promise<PriceChange[]> {
  const now = unixSeconds(deps.clock);
  const inEffect = [];
  for (let after: string | undefined; ; ) {
    const page = listPrices(deps, { provider, at: now, limit: PAGE, after });
    inEffect.push(...page.data);
    if (!page.has_more || page.last_id === null) break;
    after = page.last_id;
  }
  const byName = new Map<string, PriceObject>();
  for (const price of inEffect.filter(({ region, hours }) => region === null && hours === null)) {
    byName.set(nameOf(price), price);
  }
  // Where a global endpoint has a price of its own, it is the one that lists without regions have.
  for (const price of inEffect.filter(({ region, hours }) => region === 'global' && hours === null)) {
    byName.set(nameOf(price), price);
  }
  const listed = await genaiPrices([...byName.values()], new Date(now * 1000));
  return listed.flatMap((each) => compareWithHeld(each, byName.get(nameOf(each)) ?? null) ?? []);
}

const nameOf = ({ provider, model }: { provider: string; model: string }): string => `${provider}/${model}`;
