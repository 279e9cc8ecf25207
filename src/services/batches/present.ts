import { isTerminal } from '../../core/batch-state.ts';
import { formatUsd } from '../../core/money.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { BatchObject } from '../../protocol/batch.ts';

/** The batch as clients see it. `usage` appears with the first result; file ids only when the files are complete. */
export function presentBatch(row: BatchRow): BatchObject {
  return {
    id: row.id,
    object: 'batch',
    endpoint: row.endpoint,
    model: row.model,
    errors: row.errors ? { object: 'list', data: row.errors } : null,
    input_file_id: row.inputFileId,
    completion_window: row.completionWindow,
    status: row.status,
    output_file_id: row.outputFileId,
    error_file_id: row.errorFileId,
    created_at: row.createdAt,
    in_progress_at: row.inProgressAt,
    expires_at: row.expiresAt,
    finalizing_at: row.finalizingAt,
    completed_at: row.completedAt,
    failed_at: row.failedAt,
    expired_at: row.expiredAt,
    cancelling_at: row.cancellingAt,
    cancelled_at: row.cancelledAt,
    request_counts: { total: row.total, completed: row.completed, failed: row.failed },
    usage: row.completed > 0 ? row.usage : null,
    metadata: row.metadata,
    cost: {
      amount_nano_usd: Number(row.amountNano),
      amount_usd: formatUsd(row.amountNano) ?? '0',
      list_amount_nano_usd: Number(row.listAmountNano),
      list_amount_usd: formatUsd(row.listAmountNano) ?? '0',
      unpriced_entries: row.unpricedEntries,
      estimate: presentEstimate(row.estimate),
    },
    config: row.configName,
    priority: row.priority,
    // A batch that has been told to stop is not held any more, whenever it was.
    paused: row.pausedAt !== null && row.stop === null && !isTerminal(row.status),
    retry_of: row.retryOf,
  };
}

function presentEstimate(estimate: BatchRow['estimate']): BatchObject['cost']['estimate'] {
  if (estimate == null) return null;
  const { inputTokens, outputTokens, amountNano } = estimate;
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    low_nano_usd: amountNano.low,
    expected_nano_usd: amountNano.expected,
    high_nano_usd: amountNano.high,
    low_usd: formatUsd(amountNano.low),
    expected_usd: formatUsd(amountNano.expected),
    high_usd: formatUsd(amountNano.high),
  };
}
