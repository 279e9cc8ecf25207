import { Worker } from 'node:worker_threads';
import { ApiError } from '../../core/api-error.ts';
import type { CheckedInput, CheckSettings, InputCheck, InputChecks, LineRecords } from '../../ports/input-checks.ts';

/** What goes to the thread; the check is opened and closed without an answer. */
type ThreadRequest = { check: number } & (
  | { do: 'open'; settings: CheckSettings; idKey: Uint8Array }
  | { do: 'take'; memory: Uint8Array; length: number }
  | { do: 'end' | 'close' }
);

type Refused<T extends LineRecords> = Omit<T, 'refusal'> & {
  refusal: { message: string; code: string | null; param: string | null } | null;
};

type ThreadAnswer =
  | { check: number; answer: Refused<LineRecords | CheckedInput>; error?: never }
  | { check: number; answer?: never; error: string };

interface Waiting {
  resolve(answer: LineRecords | CheckedInput): void;
  reject(error: Error): void;
}

/** A thread that nobody uses any more is ended after this, and its memory with it. */
const KEEP_MS = 10_000;
/** Of the memory of files that were checked so much is kept for the next ones: that of one large file. */
const KEPT_BLOCKS = 4;
/** What a check makes is short-lived. */
const YOUNG_MEGABYTES = 4;

/** Checks in one thread beside the caller's, started when a file comes and ended when none comes any more. */
export class ThreadChecks implements InputChecks {
  readonly #compileCache: string | undefined;
  readonly #keepMs: number;
  /** By check, in the order of the requests. */
  readonly #waiting = new Map<number, Waiting[]>();
  #worker: Worker | null = null;
  /** Shared memory cannot be given back, and two garbage collectors must come by before it is free. */
  #kept: Uint8Array[] = [];
  #next = 0;
  #ending: ReturnType<typeof setTimeout> | undefined;

  /** `compileCache`: a folder for compiled code. */
  constructor(compileCache?: string, keepMs = KEEP_MS) {
    this.#compileCache = compileCache;
    this.#keepMs = keepMs;
  }

  get running(): boolean {
    return this.#worker !== null;
  }

  open(options: { settings: CheckSettings; idKey: Uint8Array }): InputCheck {
    const check = this.#next++;
    const worker = this.#begin(check);
    const send = (request: ThreadRequest): void => worker.postMessage(request);
    const { maxLines, maxLineBytes, maxLineErrors, maxModels } = options.settings;
    const settings = { maxLines, maxLineBytes, maxLineErrors, maxModels };
    send({ check, do: 'open', settings, idKey: Uint8Array.from(options.idKey) });
    const blocks: Uint8Array[] = [];
    let isWhole = false;
    return {
      allocate: (bytes) => {
        const block = this.#allocate(bytes);
        blocks.push(block);
        return block;
      },
      take: (memory, length) => {
        const answer = this.#answer(check);
        send({ check, do: 'take', memory, length });
        return answer;
      },
      end: async () => {
        const answer = this.#answer(check);
        send({ check, do: 'end' });
        const checked = (await answer) as CheckedInput;
        isWhole = true;
        return checked;
      },
      close: () => {
        // Blocks of a check that was given up may still be looked at, or be written somewhere.
        if (isWhole) this.#kept.push(...blocks.splice(0, KEPT_BLOCKS - this.#kept.length));
        if (this.#waiting.has(check)) send({ check, do: 'close' });
        this.#end(check, new Error('the check was given up'));
      },
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#ending);
    const worker = this.#worker;
    this.#lose(worker, 'the process ends');
    await worker?.terminate();
  }

  #allocate(bytes: number): Uint8Array {
    const index = this.#kept.findIndex(({ length }) => length === bytes);
    const [kept] = index < 0 ? [] : this.#kept.splice(index, 1);
    return kept ?? new Uint8Array(new SharedArrayBuffer(bytes));
  }

  #begin(check: number): Worker {
    clearTimeout(this.#ending);
    const worker = this.#worker ?? this.#start();
    this.#waiting.set(check, []);
    worker.ref();
    return worker;
  }

  #answer(check: number): Promise<LineRecords | CheckedInput> {
    const waiting = this.#waiting.get(check);
    if (waiting === undefined) return Promise.reject(new Error('the check of this file was lost with its thread'));
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  }

  #start(): Worker {
    // The process's own flags may be of a kind that a thread does not take.
    const worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: { compileCache: this.#compileCache },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    worker.on('message', (answer: ThreadAnswer) => this.#settle(answer));
    worker.on('error', (error) => this.#lose(worker, String(error)));
    worker.on('exit', () => this.#lose(worker, 'it ended'));
    this.#worker = worker;
    return worker;
  }

  #settle({ check, answer, error }: ThreadAnswer): void {
    const waiting = this.#waiting.get(check)?.shift();
    if (error !== undefined) waiting?.reject(new Error(`the check of a file failed: ${error}`));
    else {
      const refusal = answer.refusal === null ? null : toApiError(answer.refusal);
      waiting?.resolve({ ...answer, refusal });
    }
  }

  /** A check is over: who waits for it fails, and the thread goes when it was the last for a while. */
  #end(check: number, error: Error): void {
    for (const { reject } of this.#waiting.get(check) ?? []) reject(error);
    this.#waiting.delete(check);
    if (this.#waiting.size > 0) return;
    this.#worker?.unref();
    clearTimeout(this.#ending);
    this.#ending = setTimeout(() => void this.close(), this.#keepMs).unref();
  }

  #lose(worker: Worker | null, reason: string): void {
    if (worker === null || this.#worker !== worker) return;
    this.#worker = null;
    this.#kept = [];
    for (const waiting of this.#waiting.values()) {
      for (const { reject } of waiting) reject(new Error(`the thread that checks files was lost: ${reason}`));
    }
    this.#waiting.clear();
  }
}

function toApiError({
  message,
  code,
  param,
}: {
  message: string;
  code: string | null;
  param: string | null;
}): ApiError {
  return new ApiError(400, message, { ...(code === null ? {} : { code }), ...(param === null ? {} : { param }) });
}
