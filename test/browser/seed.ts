import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';
import { openStore } from '../../src/store/open-node.ts';

const TARGETS = [
  { provider: 'openai', model: 'gpt-4o-mini', share: 0.34, nano: 41_000_000, list: 82_000_000, mode: 'batch' },
  { provider: 'azure-eu', model: 'gpt-4o-mini', share: 0.22, nano: 45_100_000, list: 90_200_000, mode: 'batch' },
  { provider: 'pool-a', model: 'llama-3.3-70b', share: 0.24, nano: 17_300_000, list: 17_300_000, mode: 'immediate' },
  {
    provider: 'bedrock-us',
    model: 'us.amazon.nova-lite-v1:0',
    share: 0.14,
    nano: 12_700_000,
    list: 25_400_000,
    mode: 'batch',
  },
  { provider: 'claude', model: 'claude-haiku-4-5', share: 0.06, nano: 310_000_000, list: 620_000_000, mode: 'batch' },
] as const;

const DAY = 86_400;

/** A small generator, so that pictures are the same in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Fills a ledger with what some weeks of work would leave: `perDay` entries for each of `days` days before `now`. */
export async function seedLedger(url: string, options: { now: number; days: number; perDay: number }): Promise<void> {
  const store = await openStore({ url });
  const random = randomFrom(7);
  for (let day = options.days - 1; day >= 0; day -= 1) {
    const midnight = options.now - (options.now % DAY) - day * DAY;
    const weekday = new Date(midnight * 1000).getUTCDay();
    const busy = weekday === 0 || weekday === 6 ? 0.45 : 0.75 + random() * 0.5;
    const count = Math.round(options.perDay * busy);
    const latest = Math.min(DAY, options.now - midnight);
    const entries = Array.from({ length: count }, () => entry(random, midnight + Math.floor(random() * latest)));
    await store.ledger.append(entries.sort((a, b) => a.createdAt - b.createdAt));
  }
  await store.close();
}

function pickTarget(point: number): (typeof TARGETS)[number] {
  let end = 0;
  for (const target of TARGETS) {
    end += target.share;
    if (point < end) return target;
  }
  return TARGETS[0];
}

function entry(random: () => number, createdAt: number): LedgerEntryRow {
  const target = pickTarget(random());
  const size = 0.4 + random() * 1.6;
  const isFailed = random() < 0.012;
  const isUnpriced = !isFailed && random() < 0.002;
  const money = isFailed || isUnpriced ? null : Math.round(target.nano * size);
  return {
    createdAt,
    tenantId: 'default',
    keyId: null,
    batchId: null,
    customId: null,
    line: null,
    attempt: 1,
    mode: target.mode === 'batch' ? 'batch' : 'immediate',
    provider: target.provider,
    target: `${target.provider}/${target.model}`,
    model: target.model,
    servedModel: null,
    status: isFailed ? 'failed' : 'succeeded',
    final: true,
    statusCode: isFailed ? 400 : 200,
    errorCode: isFailed ? 'context_length_exceeded' : null,
    usage: null,
    rawUsage: null,
    inputTokens: Math.round(620 * size),
    cachedInputTokens: Math.round(210 * size),
    outputTokens: Math.round(180 * size),
    rates: null,
    priceVersion: null,
    amountNano: isFailed ? 0 : money,
    listAmountNano: isFailed ? 0 : isUnpriced ? null : Math.round(target.list * size),
    estimated: false,
    unpricedReason: isUnpriced ? 'no_price' : null,
    tags: { project: random() < 0.6 ? 'support-triage' : 'catalogue' },
    latencyMs: Math.round(400 * size),
  };
}
