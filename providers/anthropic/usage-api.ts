import { parseAtto } from '../../src/core/reconcile/exact-usd.ts';
import type { BilledRow } from '../../src/core/reconcile/reconcile.ts';
import type { Call, UsageApi } from '../contract.ts';
import { type Fields, isFields } from '../shared/error-body.ts';
import { countOf, type UsageAccess, unreadable, usageBuckets } from '../shared/usage-pages.ts';
import { apiVersion } from './client.ts';
import type { AnthropicSettings } from './config.ts';

const USAGE = '/v1/organizations/usage_report/messages';
const COSTS = '/v1/organizations/cost_report';
/** Days in one answer. */
const DAYS_AT_ONCE = '31';
/** Costs are stated in cents. */
const CENTS = 100n;

/** The organization's usage and cost reports, which only an admin key may read; null without one. */
export function createUsageApi(provider: string, settings: AnthropicSettings): UsageApi | null {
  const { admin_key: adminKey } = settings;
  if (adminKey === undefined) return null;
  const access: UsageAccess = {
    provider,
    baseUrl: (settings.usage_url ?? settings.base_url).replace(/\/+$/, '').replace(/\/v1$/, ''),
    headers: { 'user-agent': 'weir', 'anthropic-version': apiVersion, 'x-api-key': adminKey },
    secrets: [adminKey],
  };
  return {
    async *billed({ from, to }, call) {
      const common = [
        ['starting_at', timeText(from)],
        ['ending_at', timeText(to)],
        ['bucket_width', '1d'],
        ['limit', DAYS_AT_ONCE],
      ] as const;
      yield* usage(access, [...common, ['group_by[]', 'model']], call);
      yield* costs(access, [...common, ['group_by[]', 'description']], call);
    },
  };
}

type Query = readonly (readonly [string, string])[];

async function* usage(access: UsageAccess, query: Query, call: Call): AsyncGenerator<BilledRow> {
  for await (const { bucket, results } of usageBuckets(access, USAGE, query, call)) {
    for (const result of results) {
      const written = isFields(result.cache_creation) ? result.cache_creation : {};
      const inputTokens =
        countOf(result, 'uncached_input_tokens', access) +
        countOf(result, 'cache_read_input_tokens', access) +
        countOf(written, 'ephemeral_5m_input_tokens', access) +
        countOf(written, 'ephemeral_1h_input_tokens', access);
      const outputTokens = countOf(result, 'output_tokens', access);
      yield { day: dayOf(bucket, access, USAGE), model: modelOf(result), inputTokens, outputTokens, amountAtto: null };
    }
  }
}

async function* costs(access: UsageAccess, query: Query, call: Call): AsyncGenerator<BilledRow> {
  for await (const { bucket, results } of usageBuckets(access, COSTS, query, call)) {
    for (const result of results) {
      const cents = typeof result.amount === 'string' ? parseAtto(result.amount) : null;
      if (cents === null || String(result.currency).toUpperCase() !== 'USD') throw unreadable(access, COSTS);
      const day = dayOf(bucket, access, COSTS);
      yield { day, model: modelOf(result), inputTokens: null, outputTokens: null, amountAtto: cents / CENTS };
    }
  }
}

/** Costs that are of no model (web searches, code execution) go by their description. */
function modelOf({ model, description }: Fields): string {
  if (typeof model === 'string') return model;
  return typeof description === 'string' ? `(${description})` : '(no model)';
}

function dayOf(bucket: Fields, access: UsageAccess, path: string): number {
  const at = typeof bucket.starting_at === 'string' ? Date.parse(bucket.starting_at) / 1000 : Number.NaN;
  if (at % 86_400 === 0) return at;
  throw unreadable(access, path);
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
