/** Bounds and timings, resolved once at start (src/runtime/settings.ts). Bytes, seconds and milliseconds as named. */
export interface Settings {
  maxFileBytes: number;
  maxLines: number;
  maxLineBytes: number;
  /** Line errors kept and shown for one file. */
  maxLineErrors: number;
  /** Distinct models in one file. */
  maxModels: number;
  /** Life of batch inputs and of outputs for which the client names none. OpenAI keeps both 30 days. */
  batchFileSeconds: number;
  /** How long an `immediate` batch may take before its rest expires. */
  immediateWindowSeconds: number;

  /** Engines that run lines of batches, each in a thread of its own; 0: one, in the main thread. */
  engineThreads: number;
  segmentLines: number;
  segmentBytes: number;
  /** Leased segments a server works on at once. */
  maxOpenSegments: number;
  leaseSeconds: number;
  /** A part is committed at this many lines or bytes, or after this delay, whichever comes first. */
  partLines: number;
  partBytes: number;
  partDelayMs: number;
  /** Stored results that cannot be read are tried again for so long before their lines are given up. */
  unreadableSeconds: number;
  /** The files of batches with at least so many requests are written while they run, as far as their first lines are done. */
  aheadLines: number;

  /** What a target that has stopped serving may cost in time: its lines wait so long for it, then they fail. */
  outageSeconds: number;
  requestTimeoutMs: number;
  maxResponseBytes: number;
  /** Concurrency of a target for which the operator named none. */
  defaultConcurrency: number;
  /** How long requests in flight may go on after a cancel, an expiry or a shutdown. */
  drainSeconds: number;
  /** Provider batches are looked at no more often than this. */
  pollSecondsMin: number;
  /** A provider batch whose status and counts have not changed for so long is called back, if its lines can go elsewhere. */
  stuckSeconds: number;
  /** How long a provider may take to stop a batch; then its lines go on without it. */
  cancelSeconds: number;
  /** Provider batches this process works on at once; one provider gets a part of them, so that it cannot hold up others. */
  maxShardSteps: number;
  /** Provider batches of one provider that this process looks at in a second, however many are due. */
  shardStepsPerSecond: number;
  /** How often providers are searched for objects of ours that no row knows, and how old these are before they go. */
  orphanSeconds: number;
  /** 1: files at providers stay after their results were read. */
  keepProviderFiles: number;
  /** How long routing trusts a provider's model list. */
  modelListSeconds: number;

  /** Auto-batching: calls of one kind become a batch at this many calls or bytes, or when the first has waited so long. */
  autobatchCalls: number;
  autobatchBytes: number;
  autobatchWaitMs: number;
  /** The completion window of those batches, where a call names none; below a minute means immediate. */
  autobatchWindowSeconds: number;
  /** How long a call is held before its client is told to ask again. */
  autobatchHoldSeconds: number;
  /** How long answers are kept for their clients. */
  autobatchKeepSeconds: number;
}

export const DEFAULT_SETTINGS: Settings = {
  maxFileBytes: 10 * 1024 ** 3,
  maxLines: 10_000_000,
  maxLineBytes: 64 * 1024 ** 2,
  maxLineErrors: 100,
  maxModels: 1_000,
  batchFileSeconds: 30 * 86_400,
  immediateWindowSeconds: 86_400,
  engineThreads: 0,
  segmentLines: 500,
  segmentBytes: 16 * 1024 ** 2,
  maxOpenSegments: 64,
  leaseSeconds: 30,
  partLines: 250,
  partBytes: 8 * 1024 ** 2,
  partDelayMs: 100,
  unreadableSeconds: 60,
  aheadLines: 32_768,
  outageSeconds: 900,
  requestTimeoutMs: 600_000,
  maxResponseBytes: 256 * 1024 ** 2,
  defaultConcurrency: 64,
  drainSeconds: 30,
  pollSecondsMin: 10,
  stuckSeconds: 6 * 3_600,
  cancelSeconds: 900,
  maxShardSteps: 8,
  shardStepsPerSecond: 20,
  orphanSeconds: 900,
  keepProviderFiles: 0,
  modelListSeconds: 300,
  autobatchCalls: 1_000,
  autobatchBytes: 64 * 1024 ** 2,
  autobatchWaitMs: 10_000,
  autobatchWindowSeconds: 86_400,
  autobatchHoldSeconds: 540,
  autobatchKeepSeconds: 86_400,
};
