/**
 * Loaded first into a server under test: lets the run that started it shift its wall clock and trouble its disk. The
 * product knows nothing of it. Monotonic time and timers are left alone, as by a clock that is set.
 */
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import workerThreads, {
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  Worker,
  type WorkerOptions,
} from 'node:worker_threads';

export interface Trouble {
  /** Added to the wall clock. */
  clockMs?: number;
  /** Every write and sync waits so long. */
  diskMs?: number;
  /** Every write fails with ENOSPC. */
  diskFull?: boolean;
  /** Every read of a file fails with EIO. */
  readsFail?: boolean;
  /** So many of the next syncs and renames fail with EIO. */
  syncFailures?: number;
}

/** All threads of the server have the same clock and disk. */
const shared = isMainThread
  ? new Float64Array(new SharedArrayBuffer(40))
  : (getEnvironmentData('trouble') as unknown as Float64Array);
const trouble = {
  get clockMs(): number {
    return shared[0] ?? 0;
  },
  get diskMs(): number {
    return shared[1] ?? 0;
  },
  get diskFull(): boolean {
    return shared[2] === 1;
  },
  get readsFail(): boolean {
    return shared[3] === 1;
  },
  /** Whether a sync that happens now is one that fails. */
  takeSyncFailure(): boolean {
    const left = shared[4] ?? 0;
    if (left > 0) shared[4] = left - 1;
    return left > 0;
  },
};
if (isMainThread) {
  shared[0] = Number(process.env.WEIR_CHAOS_CLOCK_MS ?? 0);
  setEnvironmentData('trouble', shared as never);
}

const trueNow = Date.now.bind(Date);
Date.now = () => trueNow() + trouble.clockMs;

const probe = await open(import.meta.filename);
const prototype = Object.getPrototypeOf(probe) as Record<
  'write' | 'datasync' | 'read',
  (...args: unknown[]) => unknown
>;
await probe.close();
const noSpace = (name: string): Error =>
  Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' });
const badDisk = (name: string): Error => Object.assign(new Error(`EIO: i/o error, ${name}`), { code: 'EIO' });
for (const name of ['write', 'datasync'] as const) {
  const original = prototype[name];
  prototype[name] = async function (this: unknown, ...args: unknown[]) {
    if (trouble.diskMs > 0) await pause(trouble.diskMs);
    if (trouble.diskFull) throw noSpace(name);
    if (name === 'datasync' && trouble.takeSyncFailure()) throw badDisk(name);
    return original.apply(this, args);
  };
}
const read = prototype.read;
prototype.read = async function (this: unknown, ...args: unknown[]) {
  if (trouble.readsFail) throw badDisk('read');
  return read.apply(this, args);
};
/** The threads of engines load this first, too; those that have no clock and use the disk by other ways do not. */
class TroubledWorker extends Worker {
  constructor(file: string | URL, options: WorkerOptions = {}) {
    const isEngine = options.name?.startsWith('engine') === true;
    super(file, isEngine ? { ...options, execArgv: ['--import', import.meta.filename] } : options);
  }
}
workerThreads.Worker = TroubledWorker;
syncBuiltinESMExports();

// Small objects are written by a thread (src/files/placing.ts), which hears of trouble on its way there.
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (
  this: Worker,
  message: { id?: number; bytes?: unknown; to?: string },
  ...rest
): void {
  const fail = ({ message: text }: Error, code: string): void => {
    setImmediate(() => this.emit('message', { id: message.id, error: { message: text, code } }));
  };
  if (!('to' in message)) post.call(this, message, ...rest);
  else if (message.bytes !== null && trouble.diskFull) fail(noSpace('write'), 'ENOSPC');
  else if (trouble.takeSyncFailure()) fail(badDisk('rename'), 'EIO');
  else if (trouble.diskMs > 0) setTimeout(() => post.call(this, message, ...rest), trouble.diskMs);
  else post.call(this, message, ...rest);
};

if (isMainThread) {
  process.on('message', ({ clockMs, diskMs, diskFull, readsFail, syncFailures }: Trouble) => {
    if (clockMs !== undefined) shared[0] = clockMs;
    if (diskMs !== undefined) shared[1] = diskMs;
    if (diskFull !== undefined) shared[2] = diskFull ? 1 : 0;
    if (readsFail !== undefined) shared[3] = readsFail ? 1 : 0;
    if (syncFailures !== undefined) shared[4] = syncFailures;
  });
  // The channel must not keep the server alive, nor its end end it.
  process.channel?.unref();
  process.on('disconnect', () => undefined);
}
