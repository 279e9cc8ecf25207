import { type HttpClient, HttpFailure } from '../../ports/http-client.ts';

/** What ends a round: commits of what is in flight, leases given back, the state of its batches. */
const CALLS_TO_END = 20;

/**
 * Outgoing calls of one invocation. The platform fails every call beyond its limit, those that would commit results
 * included: work ends while there are calls left to commit it and to give its leases back.
 */
export class CallBudget {
  /** Aborts when no more work may begin. */
  readonly spent: AbortSignal;
  readonly #spending = new AbortController();
  #left: number;

  /** `limit`: calls that one invocation may make. */
  constructor(limit: number) {
    this.spent = this.#spending.signal;
    this.#left = limit - Math.max(CALLS_TO_END, Math.ceil(limit / 10));
  }

  /** Books a call about to be made. */
  count(): void {
    this.#left -= 1;
    if (this.#left <= 0) this.#spending.abort();
  }
}

/**
 * `http` with at most `atOnce` calls under way. The platform queues what exceeds its own limit, the database's calls
 * behind those of slow providers: a lease could end before its renewal was sent.
 */
export function boundHttp(http: HttpClient, calls: CallBudget, atOnce: number): HttpClient {
  const waiting: (() => void)[] = [];
  let free = atOnce;
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  const enter = async (): Promise<void> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((admit) => waiting.push(admit));
    if (!calls.spent.aborted) {
      calls.count();
      return;
    }
    // A line that waited here while the rest of the budget went: its lease goes back unsent.
    leave();
    throw new HttpFailure('aborted', false, 'this invocation may make no more calls');
  };
  return {
    async request(request) {
      await enter();
      return await http.request(request).finally(leave);
    },
    async stream(request) {
      await enter();
      const answer = await http.stream(request).catch((error: unknown) => {
        leave();
        throw error;
      });
      return { ...answer, body: whole(answer.body, leave) };
    },
    close: () => http.close(),
  };
}

/** The platform's `fetch`, its calls booked: none is made once the invocation may make no more. */
export function countedFetch(calls: CallBudget): typeof fetch {
  return async (input, init) => {
    if (calls.spent.aborted) throw new HttpFailure('aborted', false, 'this invocation may make no more calls');
    calls.count();
    // By its name alone: as a member of another object the platform refuses to be called.
    return await fetch(input, init);
  };
}

/** Tells when a body is over, or given up. */
async function* whole(body: AsyncIterable<Uint8Array>, over: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    over();
  }
}
