const REMOTE_TIMEOUT_MS = 30_000;

/** The fetch of remote clients: without a deadline, a server that hangs would hold up every later write. */
export const REMOTE_FETCH = (request: Request): Promise<Response> =>
  fetch(request, { signal: AbortSignal.timeout(REMOTE_TIMEOUT_MS) });
