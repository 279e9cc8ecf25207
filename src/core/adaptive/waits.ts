/** Waiting for less than this is no congestion: local servers, embeddings, our own event loop. */
const WAIT_TOLERATED_MS = 40;
/** Where an answer takes less than this, most of the wait is on the way to it. */
const QUICK_MS = 20;
const QUICK_WAIT_TOLERATED_MS = 100;
const SAVED_LEAST_MS = 10;

/** Whether an answer took so much longer than expected that it matters. `usualMs`: at a server with little to do. */
export function isWait(latencyMs: number, expectedMs: number, usualMs: number): boolean {
  return latencyMs - expectedMs > (isQuick(usualMs) ? QUICK_WAIT_TOLERATED_MS : WAIT_TOLERATED_MS);
}

/** Whether a shorter wait is worth having. */
export function isSaving(savedMs: number, usualMs: number): boolean {
  return savedMs > (isQuick(usualMs) ? QUICK_WAIT_TOLERATED_MS : SAVED_LEAST_MS);
}

export function isQuick(usualMs: number): boolean {
  return usualMs < QUICK_MS;
}
