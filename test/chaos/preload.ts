/**
 * Loaded first into a server under test: lets the run that started it shift its wall clock and trouble its disk. The
 * product knows nothing of it. Monotonic time and timers are left alone, as by a clock that is set.
 */
import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

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
const noSpace = (name: string): Error =>
  Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' });
for (const name of ['write', 'datasync'] as const) {
  const original = prototype[name];
  prototype[name] = async function (this: unknown, ...args: unknown[]) {
    if (trouble.diskMs > 0) await pause(trouble.diskMs);
    if (trouble.diskFull) throw noSpace(name);
    return original.apply(this, args);
  };
}
// Small objects are written by a thread (src/files/placing.ts), which hears of trouble on its way there.
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (this: Worker, message: { id?: number; bytes?: unknown }, ...rest): void {
  if (!(message.bytes instanceof Uint8Array)) post.call(this, message, ...rest);
  else if (trouble.diskFull) {
    const { message: text } = noSpace('write');
    setImmediate(() => this.emit('message', { id: message.id, error: { message: text, code: 'ENOSPC' } }));
  } else if (trouble.diskMs > 0) setTimeout(() => post.call(this, message, ...rest), trouble.diskMs);
  else post.call(this, message, ...rest);
};

process.on('message', (message: Trouble) => Object.assign(trouble, message));
// The channel must not keep the server alive, nor its end end it.
process.channel?.unref();
process.on('disconnect', () => undefined);
