import { amountFor, formatUsd } from '../../core/money.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchGpus } from '../../protocol/batch-insight.ts';
import { fetchBatch } from '../batches/retrieve.ts';
import { requireAdmin } from '../keys/require-admin.ts';
import { gpuWork } from '../ledger/gpus.ts';

const MICROS = 1_000_000;

/**
 * What pools that are paid by the hour cost a batch: marginal, its part of the time in which they worked; and amortised,
 * the same part of the whole time in which the batch ran. Throws 403 for others than admins, as it tells how busy pools
 * are with others' work, and 404 for an unknown id.
 */
export async function batchGpus(deps: Deps, context: Context, id: string): Promise<BatchGpus> {
  requireAdmin(context.actor);
  const batch = await fetchBatch(deps, context, id);
  const from = batch.inProgressAt ?? batch.createdAt;
  const end = batch.completedAt ?? batch.cancelledAt ?? batch.expiredAt ?? batch.failedAt ?? unixSeconds(deps.clock);
  // What is entered within the last second is of this time too.
  const to = Math.max(end, from) + 1;
  const groups = ['provider', 'model'] as const;
  const [own, all] = await Promise.all([
    deps.store.ledger.summary({ tenantId: batch.tenantId, batchId: id }, groups, null),
    deps.store.ledger.summary({ tenantId: null, from, to }, groups, null),
  ]);
  const pools = gpuWork(deps, all);
  const data = gpuWork(deps, own).flatMap(({ provider, model, rate, busy, marginal }, index) => {
    if (busy === 0) return [];
    const pool = Math.max(busy, pools[index]?.busy ?? 0);
    const whole = amountFor(BigInt(to - from) * BigInt(MICROS), rate);
    const amortised = (whole * BigInt(busy)) / BigInt(pool);
    return {
      object: 'batch.gpu' as const,
      provider,
      model,
      price_per_second_nano_usd: rate,
      busy_seconds: busy / MICROS,
      share: busy / pool,
      occupancy: pool / MICROS / (to - from),
      marginal_nano_usd: Number(marginal),
      marginal_usd: formatUsd(marginal) ?? '0',
      amortised_nano_usd: Number(amortised),
      amortised_usd: formatUsd(amortised) ?? '0',
      idle_usd: formatUsd(amortised - marginal) ?? '0',
    };
  });
  return { object: 'list', from, to, data };
}
