/** What a server's own metrics say; null where they do not. */
export interface ServerLoad {
  running: number | null;
  waiting: number | null;
  /** Share of the key-value cache in use, 0 to 1. */
  cacheUsage: number | null;
  /** Prompt tokens so far, and those of them that were found in the prefix cache. */
  promptTokens: number | null;
  cachedTokens: number | null;
}

/** What of it a limit goes by. */
export type Gauges = Omit<ServerLoad, 'promptTokens' | 'cachedTokens'>;

/** One answered request. */
export interface Answered {
  /** One model may take a hundred times as long as another for as many tokens. */
  model: string;
  inputTokens: number;
  outputTokens: number;
  latencyMs: number;
  /** Requests at the server when this one was sent, itself included. */
  inFlight: number;
}

/** How a server did under a limit. */
export interface Point {
  limit: number;
  /** Mean requests there. */
  inFlight: number;
  slowdown: number;
}

/** How much of a step from fewer requests to more went into waiting: 0 none, 1 all. */
export function elasticity(fewer: Point, more: Point): number {
  const load = Math.log(more.inFlight / fewer.inFlight);
  return load <= 0 ? 0 : Math.log(more.slowdown / fewer.slowdown) / load;
}
