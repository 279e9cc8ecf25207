/**
 * Loaded first into a server under test: lets the run that started it shift its wall clock and trouble its disk. The
 * product knows nothing of it. Monotonic time and timers are left alone, as by a clock that is set.
 */
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

export interface Trouble {
  /** Added to the wall clock. */
  clockMs?: number;
  /** Every write and sync waits so long. */
  diskMs?: number;
  /** Every write fails with ENOSPC. */
  diskFull?: boolean;
}

const trouble: Required<Trouble> = {
  clockMs: Number(process.env.WEIR_CHAOS_CLOCK_MS ?? 0),
  diskMs: 0,
  diskFull: false,
};

const trueNow = Date.now.bind(Date);
Date.now = () => trueNow() + trouble.clockMs;

const probe = await open(import.meta.filename);
const prototype = Object.getPrototypeOf(probe) as Record<'write' | 'datasync', (...args: unknown[]) => unknown>;
await probe.close();
for (const name of ['write', 'datasync'] as const) {
  const original = prototype[name];
  prototype[name] = async function (this: unknown, ...args: unknown[]) {
    if (trouble.diskMs > 0) await pause(trouble.diskMs);
    if (trouble.diskFull)
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' });
    return original.apply(this, args);
  };
}

process.on('message', (message: Trouble) => Object.assign(trouble, message));
// The channel must not keep the server alive, nor its end end it.
process.channel?.unref();
process.on('disconnect', () => undefined);
