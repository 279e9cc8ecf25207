import { signal } from '@preact/signals';
import type { ErrorEnvelope } from '../../protocol/error.ts';
import type { SessionObject } from '../../protocol/session.ts';

/** Who is signed in; null: nobody; undefined: not known yet. */
export const session = signal<SessionObject | null | undefined>(undefined);
/** Why the last session ended, for the sign-in page. */
export const sessionNote = signal<string | null>(null);

/** An answer that is no success, or none at all (`status` 0). */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;

  constructor(status: number, message: string, code: string | null = null, param: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** The session's cookie is only taken from requests with this header. */
export const OWN_HEADERS = { 'x-weir-dashboard': '1' };

interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Calls the public API. Throws ApiFailure with a message made for people. */
export async function call(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { body, headers, signal: abort } = options;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...OWN_HEADERS, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(abort && { signal: abort }),
    });
  } catch (error) {
    if (abort?.aborted) throw error;
    throw new ApiFailure(0, 'The server cannot be reached. It will be tried again.');
  }
  if (response.ok) return response;
  const failure = await readFailure(response);
  // Without a code of its own, too: a cookie that expired, or was taken back in another tab, is not sent at all.
  if (failure.status === 401 && session.value) {
    sessionNote.value = 'Your session has ended. Sign in to go on where you were.';
    session.value = null;
  }
  throw failure;
}

async function readFailure(response: Response): Promise<ApiFailure> {
  const answer = (await response.json().catch(() => null)) as Partial<ErrorEnvelope> | null;
  const error = answer?.error;
  const message = error?.message ?? `The server answered ${response.status}.`;
  return new ApiFailure(response.status, message, error?.code ?? null, error?.param ?? null);
}

export async function get<T>(path: string, abort?: AbortSignal): Promise<T> {
  return (await call('GET', path, abort ? { signal: abort } : {})).json() as Promise<T>;
}

export async function send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
  return (await call(method, path, { body })).json() as Promise<T>;
}

/** `/v1/x?a=1&b=2`, without the parameters that are empty. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const entries = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Asks whose session the browser holds: another tab may have signed out, or in with another key. */
export async function loadSession(): Promise<void> {
  const found = await get<SessionObject>('/v1/session').catch((error: unknown) => {
    if (error instanceof ApiFailure && error.status === 401) return null;
    throw error;
  });
  if (!isSame(session.value, found)) session.value = found;
}

function isSame(known: SessionObject | null | undefined, found: SessionObject | null): boolean {
  if (!known || !found) return known === found;
  return known.key_id === found.key_id && known.expires_at === found.expires_at && known.role === found.role;
}

/** Exchanges an API key for a session; the key itself is kept nowhere. */
export async function signIn(key: string): Promise<void> {
  const answer = await call('POST', '/v1/session', { headers: { authorization: `Bearer ${key}` } });
  session.value = (await answer.json()) as SessionObject;
  sessionNote.value = null;
}

export async function signOut(): Promise<void> {
  await send('DELETE', '/v1/session').catch(() => undefined);
  sessionNote.value = null;
  session.value = null;
}
