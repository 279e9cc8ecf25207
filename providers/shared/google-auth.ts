import type { GoogleAuthOptions } from 'google-auth-library';
import { refusal } from '../../src/core/failure.ts';
import { ProviderError } from '../contract.ts';
import { isFields } from './error-body.ts';
import type { GoogleKey } from './google-auth-settings.ts';
import { redact } from './redact.ts';

const scope = 'https://www.googleapis.com/auth/cloud-platform';
/** The library looks for a project beside a token, in the end by starting gcloud, unless it has one: nobody asks for this one. */
const noProject = 'unused';
/** Where the library sends what it signs, whatever the key file says. */
const googleTokenUrl = 'https://oauth2.googleapis.com/token';
const refreshTimeoutMs = 30_000;
/** A token is renewed while it still serves: this long before its end, or at a fifth of its life if that is shorter. */
const earlyMs = 300_000;
/** What a token must still be good for to be handed out. */
const usableMs = 30_000;

export interface GoogleCredentialSettings {
  credentials_file?: string | undefined;
  credentials?: GoogleKey | undefined;
  access_token?: string | undefined;
  token_url?: string | undefined;
}

/** What waiting for a token may take; a `Call` or `BatchCall` will do. */
export interface TokenCall {
  nowMs: number;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

interface Token {
  text: string;
  expiresAtMs: number;
  renewAtMs: number;
}

/**
 * Access tokens of one identity: a key (service account, workload identity federation, authorized user), a given token,
 * or what the surroundings offer (application default credentials: environment, gcloud, metadata server). Signing and
 * exchange are google-auth-library's, loaded at the first use; here they are kept, renewed early, and fetched once for
 * all that wait.
 */
export class GoogleTokens {
  readonly #provider: string;
  readonly #settings: GoogleCredentialSettings;
  #token: Token | null = null;
  #renewal: Promise<Token> | null = null;

  constructor(provider: string, settings: GoogleCredentialSettings) {
    this.#provider = provider;
    this.#settings = settings;
  }

  /** A token that is good for a while. Rejects with ProviderError. */
  async get(call: TokenCall): Promise<string> {
    const { access_token: given } = this.#settings;
    if (given !== undefined) return given;
    const token = this.#token;
    if (token !== null && call.nowMs < token.renewAtMs) return token.text;
    const renewal = this.#renew(call.nowMs);
    if (token !== null && call.nowMs + usableMs < token.expiresAtMs) {
      // The old one still serves; who comes when it no longer does will hear of the trouble.
      renewal.catch(() => {});
      return token.text;
    }
    return (await this.#inTime(renewal, call)).text;
  }

  /** Forgets a token that a service refused. */
  forget(token: string): void {
    if (this.#token?.text === token) this.#token = null;
  }

  #renew(nowMs: number): Promise<Token> {
    this.#renewal ??= this.#fetch(nowMs).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #fetch(nowMs: number): Promise<Token> {
    const key = await this.#readKey();
    try {
      const { GoogleAuth } = await import('google-auth-library');
      const auth = new GoogleAuth(this.#options(key));
      const client = await auth.getClient();
      const { token } = await client.getAccessToken();
      if (typeof token !== 'string' || token === '') throw new Error('the answer holds no access token');
      const expiresAtMs = client.credentials.expiry_date ?? nowMs + 3_600_000;
      const renewAtMs = expiresAtMs - Math.min(earlyMs, Math.max(0, expiresAtMs - nowMs) / 5);
      this.#token = { text: token, expiresAtMs, renewAtMs };
      return this.#token;
    } catch (error) {
      throw this.#trouble(error, secretsOf(key));
    }
  }

  async #readKey(): Promise<GoogleKey | null> {
    const { credentials, credentials_file: path } = this.#settings;
    if (path === undefined) return credentials ?? null;
    try {
      const { readFile } = await import('node:fs/promises');
      const key: unknown = JSON.parse(await readFile(path, 'utf8'));
      if (isFields(key)) return key;
    } catch (error) {
      const code = isFields(error) && typeof error.code === 'string' ? ` (${error.code})` : '';
      throw this.#refused('authentication', `its credentials_file cannot be read${code}`);
    }
    throw this.#refused('authentication', 'its credentials_file holds no JSON object');
  }

  #options(key: GoogleKey | null): GoogleAuthOptions {
    const named = key?.type === 'service_account' && typeof key.token_uri === 'string' ? key.token_uri : undefined;
    const tokenUrl = this.#settings.token_url ?? named ?? googleTokenUrl;
    return {
      scopes: [scope],
      projectId: noProject,
      ...(key !== null && { credentials: unescaped(key) as NonNullable<GoogleAuthOptions['credentials']> }),
      clientOptions: { transporterOptions: { fetchImplementation: redirectedFetch(tokenUrl) } },
    };
  }

  #trouble(error: unknown, secrets: readonly string[]): ProviderError {
    const text = error instanceof Error ? error.message : 'the exchange failed';
    const response = isFields(error) ? error.response : undefined;
    const status = isFields(response) && typeof response.status === 'number' ? response.status : null;
    const kind =
      status === null ? kindWithoutAnswer(text) : status === 429 || status >= 500 ? 'server_error' : 'authentication';
    return this.#refused(kind, redact(text, secrets));
  }

  #refused(
    kind: 'authentication' | 'connection' | 'server_error' | 'timeout' | 'interrupted',
    text: string,
  ): ProviderError {
    const code = kind === 'authentication' ? 'invalid_credentials' : 'no_access_token';
    return new ProviderError(
      refusal(kind, code, `${this.#provider} has no access token: ${text.replace(/\.+$/, '')}.`),
    );
  }

  /** Waits for what others may wait for too: leaving does not end it. */
  async #inTime(renewal: Promise<Token>, { timeoutMs, signal }: TokenCall): Promise<Token> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(this.#refused('timeout', 'none in time')), timeoutMs);
    const leave = () => reject(this.#refused('interrupted', 'the call was aborted'));
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted) leave();
    try {
      return await Promise.race([renewal, promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    }
  }
}

/** The library names the service's own words in its message; without an answer it is the network or the setting. */
function kindWithoutAnswer(text: string): 'authentication' | 'connection' {
  return /default credentials|private key|PEM|DECODER|unsupported|key file|holds no/i.test(text)
    ? 'authentication'
    : 'connection';
}

function secretsOf(key: GoogleKey | null): string[] {
  const { private_key: privateKey, refresh_token: refresh, client_secret: client } = key ?? {};
  return [privateKey, refresh, client].filter((one): one is string => typeof one === 'string' && one !== '');
}

/** Environment variables carry line feeds as two characters. */
function unescaped(key: GoogleKey): GoogleKey {
  const { private_key: pem } = key;
  return typeof pem === 'string' ? { ...key, private_key: pem.replaceAll('\\n', '\n') } : key;
}

/** The library's address of the token endpoint is fixed; this leads it elsewhere, and bounds every exchange. */
function redirectedFetch(tokenUrl: string): typeof fetch {
  return (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const isToken = url === googleTokenUrl;
    const signals = [AbortSignal.timeout(refreshTimeoutMs), init?.signal].filter(
      (one) => one !== null && one !== undefined,
    );
    // A redirect is no token, and is not followed: it would carry the signed assertion along.
    return fetch(isToken ? tokenUrl : input, { ...init, signal: AbortSignal.any(signals), redirect: 'manual' });
  };
}
