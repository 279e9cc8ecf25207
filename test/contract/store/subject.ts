import type { Store } from '../../../src/ports/store.ts';
import type { BatchRow } from '../../../src/ports/store-batches.ts';
import type { FileRow } from '../../../src/ports/store-files.ts';
import type { LedgerEntryRow } from '../../../src/ports/store-ledger.ts';
import type { Commit, SegmentLease, SegmentRow } from '../../../src/ports/store-segments.ts';
import type { ShardLease, ShardRow } from '../../../src/ports/store-shards.ts';
import type { BatchUsage } from '../../../src/protocol/batch.ts';

/** The store under test, fresh for each test. */
export interface Subject {
  store: Store;
  /** A further store on the same database; closed by itself after the test. */
  another(): Promise<Store>;
}

export const NOW = 1_700_000_000;
export const LATER = NOW + 600;

export function batchUsage(count = 0): BatchUsage {
  return {
    input_tokens: count,
    input_tokens_details: { cached_tokens: count },
    output_tokens: count,
    output_tokens_details: { reasoning_tokens: count },
    total_tokens: 2 * count,
  };
}

export function fileRow(id: string, change: Partial<FileRow> = {}): FileRow {
  return {
    id,
    tenantId: 'tenant-a',
    keyId: 'key_1',
    filename: 'Grüße \u{1f600}.jsonl',
    purpose: 'batch',
    bytes: 6_000_000_000,
    sha256: 'ab'.repeat(32),
    createdAt: NOW,
    expiresAt: null,
    deletedAt: null,
    contentKey: `files/${id}`,
    planKey: `files/${id}.plan`,
    plan: {
      lines: 2,
      requests: 1,
      models: [{ name: 'm', count: 1 }],
      endpoints: [{ endpoint: '/v1/embeddings', count: 1, firstLine: 1 }],
      errors: [{ code: 'invalid_json', message: 'Not JSON: \u2028', param: null, line: 2 }],
      errorCount: 1,
    },
    ...change,
  };
}

export function batchRow(id: string, change: Partial<BatchRow> = {}): BatchRow {
  return {
    id,
    tenantId: 'tenant-a',
    keyId: null,
    endpoint: '/v1/chat/completions',
    completionWindow: 'immediate',
    inputFileId: `file-of-${id}`,
    metadata: { team: 'search', 'a "quoted" key': '\ud800' },
    configName: 'mini',
    route: { strategy: { mode: 'single' }, targets: [{ provider: 'p' }] },
    outputExpiresAfterSeconds: null,
    retryOf: null,
    front: null,
    frontDeletedAt: null,
    neverRun: null,
    priority: 0,
    options: null,
    estimate: null,
    status: 'validating',
    stop: null,
    pausedAt: null,
    errors: null,
    model: null,
    outputFileId: null,
    errorFileId: null,
    createdAt: NOW,
    inProgressAt: null,
    expiresAt: NOW + 86_400,
    finalizingAt: null,
    completedAt: null,
    failedAt: null,
    expiredAt: null,
    cancellingAt: null,
    cancelledAt: null,
    total: 0,
    completed: 0,
    failed: 0,
    usage: batchUsage(),
    amountNano: 0n,
    listAmountNano: 0n,
    entries: 0,
    unpricedEntries: 0,
    lanes: [],
    lanesKey: null,
    openSegments: 0,
    ...change,
  };
}

export function segmentRow(batchId: string, index: number, change: Partial<SegmentRow> = {}): SegmentRow {
  return {
    id: `${batchId}-${index}`,
    batchId,
    tenantId: 'tenant-a',
    lane: 0,
    queue: 'pool',
    candidate: 0,
    firstLine: index * 10,
    lastLine: index * 10 + 9,
    lines: 10,
    ...change,
  };
}

export function shardRow(batchId: string, index: number, change: Partial<ShardRow> = {}): ShardRow {
  return {
    id: `${batchId}-s${index}`,
    batchId,
    tenantId: 'tenant-a',
    lane: 0,
    candidate: 0,
    provider: 'openai',
    model: 'mini',
    endpoint: '/v1/chat/completions',
    firstLine: index * 10,
    lastLine: index * 10 + 9,
    lines: 10,
    bytes: 6_000_000_000,
    tokens: 1_000,
    state: 'pending',
    tries: 0,
    token: null,
    providerBatchId: null,
    refs: {},
    place: null,
    raw: null,
    counts: null,
    failure: null,
    createdAt: NOW,
    submittedAt: null,
    progressAt: null,
    cancelAskedAt: null,
    endedAt: null,
    ranAt: null,
    cleanedAt: null,
    hours: null,
    nextAt: NOW,
    ...change,
  };
}

export function entryRow(change: Partial<LedgerEntryRow> = {}): LedgerEntryRow {
  return {
    createdAt: NOW,
    tenantId: 'tenant-a',
    keyId: 'key_1',
    batchId: 'batch_1',
    customId: 'request-1',
    line: 1,
    attempt: 1,
    mode: 'immediate',
    provider: 'pool',
    target: 'pool/llama',
    model: 'llama',
    servedModel: 'llama-3',
    status: 'succeeded',
    final: true,
    statusCode: 200,
    errorCode: null,
    usage: { input_tokens: 10, output_tokens: 5 } as LedgerEntryRow['usage'],
    rawUsage: { prompt_tokens: 10, completion_tokens: 5, odd: [1.5, null, '\ud800'] },
    inputTokens: 10,
    cachedInputTokens: 4,
    outputTokens: 5,
    rates: { version: '2026-11-01', mode: 'standard', tier: 'base', input: 100, output: 200 },
    priceVersion: '2026-11-01',
    amountNano: 1_000,
    listAmountNano: 2_000,
    estimated: false,
    unpricedReason: null,
    tags: { team: 'search' },
    latencyMs: 12,
    route: 'mini',
    shardId: null,
    ranAt: null,
    ...change,
  };
}

/** Takes a batch to in_progress with these segments and shards (ten lines each), and gives the batch's own lease back. */
export async function startBatch(
  store: Store,
  id: string,
  segments: readonly SegmentRow[],
  change: Partial<BatchRow> = {},
  shards: readonly ShardRow[] = [],
): Promise<void> {
  await store.batches.insert(batchRow(id, change));
  const token = `start-${id}`;
  await store.batches.claimDue({ now: NOW, until: LATER, token, limit: 100 });
  await store.segments.insertMany(segments);
  await store.shards.insertMany(shards);
  const started = await store.batches.start(id, token, {
    now: NOW,
    total: (segments.length + shards.length) * 10,
    refused: 0,
    model: 'llama',
    lanes: [],
    lanesKey: `batches/${id}/lanes`,
    segments: segments.length + shards.length,
  });
  if (!started) throw new Error(`batch ${id} did not start`);
  await store.batches.release(id, token, 0);
}

export function claim(
  store: Store,
  change: Partial<Parameters<Store['segments']['claim']>[0]> = {},
): Promise<SegmentLease[]> {
  return store.segments.claim({ now: NOW, until: NOW + 30, token: 'worker', limit: 1, exclude: [], ...change });
}

export function claimShards(
  store: Store,
  change: Partial<Parameters<Store['shards']['claimDue']>[0]> = {},
): Promise<ShardLease[]> {
  return store.shards.claimDue({
    now: NOW,
    until: NOW + 30,
    token: 'worker',
    limit: 10,
    exclude: [],
    paused: [],
    ...change,
  });
}

/** A commit for these leases that carries nothing else. */
export function emptyCommit(leases: readonly SegmentLease[], change: Partial<Commit> = {}): Commit {
  return {
    batchId: leases[0]?.batchId ?? 'batch_1',
    now: NOW,
    leaseUntil: NOW + 60,
    part: null,
    segments: leases.map(({ id, token, granted }) => ({ id, token, granted, finished: false })),
    entries: [],
    completed: 0,
    failed: 0,
    usage: batchUsage(),
    ...change,
  };
}

export function partRow(key: string, change: Partial<NonNullable<Commit['part']>> = {}): NonNullable<Commit['part']> {
  return {
    key,
    batchId: 'batch_1',
    firstLine: 0,
    lastLine: 9,
    count: 10,
    bytes: 1_000,
    indexOffset: 900,
    createdAt: NOW,
    busyMs: null,
    busyFrom: null,
    busyUntil: null,
    ...change,
  };
}
