import { performance } from 'node:perf_hooks';
import type { Clock } from '../ports/clock.ts';

/** What the process's monotonic clock shows beyond this thread's, which begins with the thread, in microseconds. */
export function steadyOffset(): number {
  return Number(process.hrtime.bigint()) / 1000 - systemClock.micros();
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // The import: the global of that name is looked up by a function of Node.js each time.
  micros: () => performance.now() * 1000,
  // What is sent on connections is written in a callback of this kind, too: in the order in which they were asked for.
  afterTurn: (run) => void setImmediate(run),
  sleep(ms, signal) {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    });
  },
};
