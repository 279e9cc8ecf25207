/**
 * Defaults of Bedrock's service quotas for batch inference (Service Quotas console, per model and region; most can be
 * raised, so `batch_limits` in the config overrides them). Records per job: 50,000 for most models. Minimum: 100. Input
 * file: 1 GB. Jobs submitted and in progress per model: 10 to 20, of which the lower is taken.
 */
export const defaultBatchLimits = { lines: 50_000, linesMin: 100, bytes: 1_000_000_000, jobs: 10 } as const;

/** InvokeModel takes bodies up to 25,000,000 bytes (service model of bedrock-runtime). */
export const maxLineBytes = 25_000_000;

/** S3 wants parts of at least 5 MiB, except the last, and at most 10,000 of them. */
export const partBytes = 8 * 1024 * 1024;
