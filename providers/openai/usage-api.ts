import { parseAtto } from '../../src/core/reconcile/exact-usd.ts';
import type { BilledRow } from '../../src/core/reconcile/reconcile.ts';
import type { Call, UsageApi } from '../contract.ts';
import type { Fields } from '../shared/error-body.ts';
import { bearerHeaders } from '../shared/openai-client.ts';
import { versionedBase } from '../shared/openai-endpoints.ts';
import { countOf, type UsageAccess, unreadable, usageBuckets } from '../shared/usage-pages.ts';
import type { OpenAISettings } from './config.ts';

/** OpenAI's reports of what models used; images, audio and stores are no tokens. */
const REPORTS = ['completions', 'embeddings', 'moderations'] as const;
const COSTS = '/organization/costs';
/** Days in one answer. */
const DAYS_AT_ONCE = '31';

/** The organization's usage and costs, which only an admin key may read; null without one. */
export function createUsageApi(provider: string, settings: OpenAISettings): UsageApi | null {
  const { admin_key: adminKey, organization, project } = settings;
  if (adminKey === undefined) return null;
  const access: UsageAccess = {
    provider,
    baseUrl: versionedBase(settings.usage_url ?? settings.base_url),
    headers: { ...bearerHeaders(adminKey), ...(organization && { 'openai-organization': organization }) },
    secrets: [adminKey, ...(organization ? [organization] : [])],
  };
  const projects = project === undefined ? [] : [['project_ids', project] as const];
  return {
    async *billed({ from, to }, call) {
      const common = [
        ['start_time', String(from)],
        ['end_time', String(to)],
        ['bucket_width', '1d'],
        ['limit', DAYS_AT_ONCE],
        ...projects,
      ] as const;
      for (const report of REPORTS)
        yield* usage(access, `/organization/usage/${report}`, [...common, ['group_by', 'model']], call);
      yield* costs(access, [...common, ['group_by', 'line_item']], call);
    },
  };
}

type Query = readonly (readonly [string, string])[];

async function* usage(access: UsageAccess, path: string, query: Query, call: Call): AsyncGenerator<BilledRow> {
  for await (const { bucket, results } of usageBuckets(access, path, query, call)) {
    for (const result of results) {
      const inputTokens = countOf(result, 'input_tokens', access);
      const outputTokens = countOf(result, 'output_tokens', access);
      const model = typeof result.model === 'string' ? result.model : '(no model)';
      yield { day: dayOf(bucket, access, path), model, inputTokens, outputTokens, amountAtto: null };
    }
  }
}

async function* costs(access: UsageAccess, query: Query, call: Call): AsyncGenerator<BilledRow> {
  for await (const { bucket, results } of usageBuckets(access, COSTS, query, call)) {
    for (const { line_item: item, amount } of results) {
      const { value, currency } = (amount ?? {}) as { value?: unknown; currency?: unknown };
      const amountAtto = typeof value === 'number' || typeof value === 'string' ? parseAtto(String(value)) : null;
      if (amountAtto === null || currency !== 'usd') throw unreadable(access, COSTS);
      // `gpt-4o-mini-2024-07-18, input`
      const model = typeof item === 'string' ? (item.split(', ')[0] ?? item) : '(no line item)';
      yield { day: dayOf(bucket, access, COSTS), model, inputTokens: null, outputTokens: null, amountAtto };
    }
  }
}

function dayOf(bucket: Fields, access: UsageAccess, path: string): number {
  if (typeof bucket.start_time === 'number' && bucket.start_time % 86_400 === 0) return bucket.start_time;
  throw unreadable(access, path);
}
