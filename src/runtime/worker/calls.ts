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
  return {
    async request(request) {
      if (free > 0) free -= 1;
      else await new Promise<void>((enter) => waiting.push(enter));
      try {
        // A line that waited here while the rest of the budget went: its lease goes back unsent.
        if (calls.spent.aborted) throw new HttpFailure('aborted', false, 'this invocation may make no more calls');
        calls.count();
        return await http.request(request);
      } finally {
        leave();
      }
    },
    close: () => http.close(),
  };
}
