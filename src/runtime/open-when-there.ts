import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../ports/log.ts';
import { StartError } from './problems.ts';

/** As long as a machine with both takes to start. */
const WAIT_MS = 30_000;
const AGAIN_MS = 1_000;

/**
 * Opens the database. One that is a server's may start later than Weir or be away for a moment: it is waited for, half a
 * minute and no longer. Throws StartError where it stays away, or refuses the token.
 */
export async function openWhenThere<T>(
  url: string,
  open: () => Promise<T>,
  { log, waitMs = WAIT_MS }: { log: Log; waitMs?: number },
): Promise<T> {
  const until = performance.now() + waitMs;
  for (let isTold = false; ; isTold = true) {
    try {
      return await open();
    } catch (error) {
      if (url.startsWith('file:')) throw error;
      const reason = whyAway(error);
      if (reason === null) throw isRefusal(error) ? refused(url) : error;
      if (performance.now() >= until) throw away(url, reason);
      if (!isTold)
        log.warn({ database: placeOf(url), reason }, 'the database server does not answer yet; trying again');
      await pause(AGAIN_MS);
    }
  }
}

function away(url: string, reason: string): StartError {
  const message = `the database server at ${placeOf(url)} does not answer (${reason}). Start it, or name another`;
  return new StartError([{ path: 'WEIR_DATABASE_URL', message }]);
}

function refused(url: string): StartError {
  const message = `the database server at ${placeOf(url)} refuses it. Give the token that it asks for`;
  return new StartError([{ path: 'WEIR_DATABASE_AUTH_TOKEN', message }]);
}

/** Without what follows, where a token may stand. */
function placeOf(url: string): string {
  return new URL(url).host;
}

/** Why nobody answers; null where somebody does. */
function whyAway(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (error.name === 'TimeoutError') return 'no answer in time';
  const status = statusOf(error);
  if (status >= 502 && status <= 504) return `HTTP status ${status}`;
  if (!(error instanceof TypeError && error.message === 'fetch failed')) return null;
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  return typeof code === 'string' ? code : 'no connection';
}

function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  return status === 401 || status === 403;
}

/** Of an answer that was none of a database, as the client of libSQL reports it; 0: there was none. */
function statusOf(error: unknown): number {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && 'status' in cause && typeof cause.status === 'number' ? cause.status : 0;
}
