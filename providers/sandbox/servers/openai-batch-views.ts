import type { BatchSettings } from './openai-batch-settings.ts';
import type { StoredBatch, StoredFile } from './openai-batch-store.ts';

const dayMs = 86_400_000;

const mistralWords: Record<StoredBatch['status'], string> = {
  validating: 'QUEUED',
  in_progress: 'RUNNING',
  finalizing: 'RUNNING',
  completed: 'SUCCESS',
  failed: 'FAILED',
  expired: 'TIMEOUT_EXCEEDED',
  cancelling: 'CANCELLATION_REQUESTED',
  cancelled: 'CANCELLED',
};

/** A file object as the service tells it. */
export function fileView(file: StoredFile, settings: BatchSettings): object {
  const isReady = Date.now() >= file.readyMs;
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes.length,
    created_at: Math.floor(file.createdMs / 1000),
    ...(file.expiresAfter !== null && { expires_at: Math.floor(file.createdMs / 1000) + file.expiresAfter }),
    filename: file.filename,
    purpose: file.purpose,
    status: isReady ? 'processed' : settings.flavour === 'azure' ? 'pending' : 'uploaded',
    status_details: null,
  };
}

/** A batch object as the service tells it; `word` stands in for its status. */
export function batchView(batch: StoredBatch, settings: BatchSettings, word?: string): object {
  switch (settings.flavour) {
    case 'mistral':
      return mistralView(batch, settings, word);
    case 'together':
      return togetherView(batch, settings, word);
    default:
      return openaiView(batch, settings, word);
  }
}

function openaiView(batch: StoredBatch, settings: BatchSettings, word?: string): object {
  const isAzure = settings.flavour === 'azure';
  const time = timesOf(settings);
  const { status, endedMs } = batch;
  const at = (name: StoredBatch['status']) => (status === name ? time(endedMs) : null);
  const hasRun = status !== 'validating' && status !== 'failed';
  const files = filesOf(batch, settings);
  const isBlob = batch.outputFolder !== undefined;
  return {
    id: batch.id,
    object: 'batch',
    endpoint: isAzure ? null : batch.endpoint,
    errors: status === 'failed' ? { object: 'list', data: batch.errors } : null,
    input_file_id: isBlob ? null : batch.inputFileId,
    completion_window: batch.window,
    status: word ?? (settings.old_style ? capital(status) : status),
    output_file_id: isBlob ? null : files.output,
    error_file_id: isBlob ? null : files.error,
    ...(isBlob && { input_blob: batch.inputFileId, output_blob: files.output, error_blob: files.error }),
    created_at: time(batch.createdMs),
    in_progress_at: hasRun ? time(batch.createdMs) : null,
    expires_at: time(batch.createdMs + dayMs),
    finalizing_at: status === 'completed' ? time(endedMs) : null,
    completed_at: at('completed'),
    failed_at: at('failed'),
    expired_at: at('expired'),
    cancelling_at: time(batch.cancelledMs),
    cancelled_at: at('cancelled'),
    request_counts: hasRun
      ? { total: batch.lines.length, completed: batch.done, failed: batch.failed }
      : { total: isAzure ? null : 0, completed: isAzure ? null : 0, failed: isAzure ? null : 0 },
    metadata: isBlob ? null : batch.metadata,
    ...(!isAzure && batch.usage !== null && { usage: usageView(batch.usage) }),
  };
}

function usageView({ input, output }: { input: number; output: number }): object {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}

function togetherView(batch: StoredBatch, settings: BatchSettings, word?: string): object {
  const { output, error } = filesOf(batch, settings);
  return {
    id: batch.id,
    user_id: 'user-1',
    input_file_id: batch.inputFileId,
    status: word ?? batch.status.toUpperCase(),
    created_at: iso(batch.createdMs),
    endpoint: batch.endpoint,
    progress: batch.lines.length === 0 ? 0 : Math.floor((100 * batch.done) / batch.lines.length),
    output_file_id: output ?? '',
    error_file_id: error ?? '',
    error: batch.status === 'failed' ? (batch.errors[0]?.message ?? '') : '',
    ...(batch.endedMs !== null && { completed_at: iso(batch.endedMs) }),
  };
}

function mistralView(batch: StoredBatch, settings: BatchSettings, word?: string): object {
  const { output, error } = filesOf(batch, settings);
  const failed = batch.errors.map(({ message }) => ({ message, count: 1 }));
  return {
    id: batch.id,
    object: 'batch',
    input_files: [batch.inputFileId],
    metadata: batch.metadata,
    endpoint: batch.endpoint,
    model: batch.model,
    output_file: output,
    error_file: error,
    errors: batch.status === 'failed' ? failed : [],
    status: word ?? mistralWords[batch.status],
    created_at: Math.floor(batch.createdMs / 1000),
    total_requests: batch.lines.length,
    completed_requests: batch.done + batch.failed,
    succeeded_requests: batch.done,
    failed_requests: batch.failed,
    completed_at: batch.endedMs === null ? null : Math.floor(batch.endedMs / 1000),
  };
}

/** The ids of the result files as far as they are told. */
function filesOf(batch: StoredBatch, settings: BatchSettings): { output: string | null; error: string | null } {
  const none = settings.empty_ids ? '' : null;
  if (batch.endedMs === null || batch.pollsAfterEnd <= settings.late_output_polls) return { output: none, error: none };
  return { output: batch.outputFileId ?? none, error: batch.errorFileId ?? none };
}

function timesOf(settings: BatchSettings): (ms: number | null) => number | string | null {
  return (ms) => (ms === null ? null : settings.old_style ? iso(ms) : Math.floor(ms / 1000));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
