import { type Provider, ProviderError } from '../../../providers/contract.ts';
import { ApiError } from '../../core/api-error.ts';
import { parseAtto } from '../../core/reconcile/exact-usd.ts';
import { type BilledRow, type LedgerDay, reconcile } from '../../core/reconcile/reconcile.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ReconcileInput } from '../../protocol/reconciliation.ts';
import { presentReconciliation } from './present.ts';

type ReconcileDeps = Pick<Deps, 'store' | 'providers' | 'http' | 'clock' | 'settings'>;

const DAY = 86_400;
const DAYS_MAX = 400;
const CALL_TIMEOUT_MS = 60_000;
/** One answer of a usage API holds a month at most. */
const ANSWER_BYTES_MAX = 32 * 1024 ** 2;

/**
 * Puts what providers say they bill beside the ledger of all tenants, by day and model. Reads only. A bill in `billed` is
 * about all named providers together; without one, each named provider, or each that can, is asked for its own. Throws
 * ApiError 400.
 */
export async function reconcileLedger(deps: ReconcileDeps, input: ReconcileInput, signal: AbortSignal) {
  const days = readDays(input);
  const named = input.providers?.map((name) => providerNamed(deps, name));
  const models = new Map(Object.entries(input.models ?? {}));
  if (input.billed !== undefined) {
    if (named === undefined) throw invalid('providers', "Name in 'providers' which providers the bill is about.");
    const billed = readBill(input.billed, days);
    const found = reconcile(await ledgerDays(deps, named, days), billed, models);
    const head = { ...days, providers: named.map(({ name }) => name), source: 'bill' as const };
    return { object: 'list' as const, data: [presentReconciliation(head, found)], skipped: [] };
  }
  const data: ReturnType<typeof presentReconciliation>[] = [];
  const skipped: { provider: string; reason: string }[] = [];
  for (const provider of named ?? deps.providers.values()) {
    const billed = await askProvider(deps, provider, days, signal);
    if (typeof billed === 'string') {
      skipped.push({ provider: provider.name, reason: billed });
      continue;
    }
    const found = reconcile(await ledgerDays(deps, [provider], days), billed, models);
    data.push(presentReconciliation({ ...days, providers: [provider.name], source: 'usage_api' }, found));
  }
  return { object: 'list' as const, data, skipped };
}

interface Days {
  from: number;
  to: number;
}

/** The days between two, as Unix seconds. Throws ApiError 400. */
export function readDays({ from, to }: Pick<ReconcileInput, 'from' | 'to'>): Days {
  const [first, end] = [readDay('from', from), readDay('to', to)];
  if (first >= end) throw invalid('from', "'from' must be before 'to', which is the day after the last.");
  if (end - first > DAYS_MAX * DAY) throw invalid('to', `At most ${DAYS_MAX} days can be compared at once.`);
  return { from: first, to: end };
}

function readDay(param: string, text: string): number {
  const at = Date.parse(`${text}T00:00:00Z`) / 1000;
  if (Number.isNaN(at) || new Date(at * 1000).toISOString().slice(0, 10) !== text) {
    throw invalid(param, `'${param}' is no day of the calendar: ${text}.`);
  }
  return at;
}

/** A provider of the config. Throws ApiError 400. */
export function providerNamed(deps: Pick<Deps, 'providers'>, name: string): Provider {
  const provider = deps.providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...deps.providers.keys()].join(', ') || 'none';
  throw invalid('providers', `There is no provider '${name}'. Configured: ${known}.`);
}

function readBill(rows: NonNullable<ReconcileInput['billed']>, { from, to }: Days): BilledRow[] {
  return rows.map((row, index) => {
    const day = readDay(`billed[${index}].day`, row.day);
    if (day < from || day >= to) {
      throw invalid(`billed[${index}].day`, `${row.day} is not between 'from' and 'to'. Leave it out, or widen them.`);
    }
    const amountAtto = row.amount_usd == null ? null : parseAtto(row.amount_usd);
    if (amountAtto === null && row.amount_usd != null) {
      throw invalid(`billed[${index}].amount_usd`, `'${row.amount_usd}' is no decimal amount.`);
    }
    return {
      day,
      model: row.model,
      inputTokens: row.input_tokens ?? null,
      outputTokens: row.output_tokens ?? null,
      amountAtto,
    };
  });
}

/** What the provider says; why it says nothing, where there is nobody to ask or no answer. */
async function askProvider(
  deps: ReconcileDeps,
  provider: Provider,
  days: Days,
  signal: AbortSignal,
): Promise<BilledRow[] | string> {
  if (provider.usage === undefined) {
    return 'it has no usage API, or its admin_key is not set in the config; give its bill instead';
  }
  const call = {
    http: deps.http,
    member: '',
    timeoutMs: CALL_TIMEOUT_MS,
    maxResponseBytes: ANSWER_BYTES_MAX,
    nowMs: deps.clock.now(),
    signal,
  };
  try {
    const rows: BilledRow[] = [];
    for await (const row of provider.usage.billed(days, call)) rows.push(row);
    return rows;
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const { kind, message } = error.failure;
    const remedy = kind === 'authentication' || kind === 'permission' ? ' Its admin_key must be an admin API key.' : '';
    return `${message}${remedy}`;
  }
}

/** The ledger by day and priced model, of these providers together. */
async function ledgerDays(deps: ReconcileDeps, providers: readonly Provider[], days: Days): Promise<LedgerDay[]> {
  const byName = new Map(providers.map((provider) => [provider.name, provider]));
  const rows = await deps.store.ledger.summary({ tenantId: null, ...days }, ['day', 'provider', 'model'], null);
  return rows.flatMap(({ group, ...sums }) => {
    const provider = byName.get(String(group.provider));
    if (provider === undefined) return [];
    const model = String(group.model);
    return [{ day: Number(group.day), model: provider.pricedModel?.(model) ?? model, sums }];
  });
}

function invalid(param: string, message: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_value', param });
}
