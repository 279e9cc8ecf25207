import { z } from 'zod';
import { type Checked, check, type Path, type Problem } from '../core/problems.ts';
import { type HttpProxy, type Proxies, readProxies } from '../core/proxies.ts';
import { SEATS_MAX } from '../core/shared/slots.ts';
import { DEFAULT_SETTINGS, type Settings } from '../ports/settings.ts';
import type { Environment } from './env.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** What the environment says about one server. */
export interface ServerOptions {
  host: string;
  port: number;
  /** The config file that was asked for; null means the default one, if it exists. */
  configPath: string | null;
  dataDir: string;
  databaseUrl: string;
  databaseAuthToken: string | null;
  filesUrl: string;
  adminKey: string | null;
  logLevel: (typeof LOG_LEVELS)[number];
  /** What leads out to providers; null: nothing is in between. */
  proxies: Proxies | null;
}

/** What the environment says about the server that the command line talks to. */
export interface ClientOptions {
  url: string;
  apiKey: string | null;
  /** What leads to the server; null: nothing is in between. */
  proxy?: HttpProxy | null;
}

const DATABASE_PROTOCOLS = ['file:', 'libsql:', 'http:', 'https:', 'ws:', 'wss:'];

const port = z.string().superRefine((text, context) => {
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number <= 65_535) return;
  // Kubernetes puts such a variable into pods beside a service that is called `weir`.
  const hint = text.startsWith('tcp://')
    ? ' (Kubernetes set it for a service of this name: set enableServiceLinks to false)'
    : '';
  context.addIssue({ code: 'custom', message: `must be a port number from 0 to 65535${hint}` });
});

const text = z.string().regex(/^[^\p{Cc}]+$/u, 'must not hold control characters');
const visible = z.string().regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without spaces');

const serverSchema = z.object({
  WEIR_HOST: visible.default('127.0.0.1'),
  WEIR_PORT: port.default('8787'),
  WEIR_CONFIG: text.optional(),
  WEIR_DATA_DIR: text.default('./data'),
  WEIR_DATABASE_URL: z
    .string()
    .refine((url) => DATABASE_PROTOCOLS.includes(protocolOf(url)), 'must be a file:, libsql:, http(s): or ws(s): URL')
    .refine(
      (url) => !/^[a-z]+:\/\/[^/?#]*@/i.test(url),
      'must hold no credentials: they go into WEIR_DATABASE_AUTH_TOKEN',
    )
    .optional(),
  WEIR_DATABASE_AUTH_TOKEN: visible.optional(),
  WEIR_FILES_URL: z
    .string()
    .refine((url) => protocolOf(url) === 'file:', 'must be a file: URL; this version keeps files in no other place')
    .optional(),
  WEIR_ADMIN_KEY: visible.optional(),
  WEIR_LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
});

/** Reads the variables of a server; an empty one counts as not set. Messages never repeat a value. */
export function readServerOptions(environment: Environment): Checked<ServerOptions> {
  const checked = check(serverSchema, present(environment));
  const proxies = readProxies(environment);
  if (!checked.ok || !proxies.ok) {
    return { ok: false, problems: [...(checked.ok ? [] : checked.problems), ...(proxies.ok ? [] : proxies.problems)] };
  }
  const found = checked.value;
  const dataDir = found.WEIR_DATA_DIR.replace(/(?<=.)\/+$/, '');
  return {
    ok: true,
    value: {
      host: found.WEIR_HOST,
      port: Number(found.WEIR_PORT),
      configPath: found.WEIR_CONFIG ?? null,
      dataDir,
      databaseUrl: found.WEIR_DATABASE_URL ?? `file:${dataDir}/weir.db`,
      databaseAuthToken: found.WEIR_DATABASE_AUTH_TOKEN ?? null,
      filesUrl: found.WEIR_FILES_URL ?? `file:${dataDir}/files`,
      adminKey: found.WEIR_ADMIN_KEY ?? null,
      logLevel: found.WEIR_LOG_LEVEL,
      proxies: proxies.value,
    },
  };
}

const clientSchema = z.object({
  WEIR_URL: z
    .string()
    .refine(
      (url) => /^https?:\/\//.test(url) && URL.canParse(url),
      'must be an http(s) URL such as http://127.0.0.1:8787',
    )
    .default('http://127.0.0.1:8787'),
  WEIR_API_KEY: visible.optional(),
});

/** Reads the variables of the command line. */
export function readClientOptions(environment: Environment): Checked<ClientOptions> {
  const checked = check(clientSchema, present(environment));
  if (!checked.ok) return checked;
  const proxies = readProxies(environment);
  if (!proxies.ok) return proxies;
  const { WEIR_URL, WEIR_API_KEY } = checked.value;
  // As it stands in the base URLs of OpenAI's clients, too.
  const url = WEIR_URL.replace(/(\/v1)?\/*$/, '');
  return { ok: true, value: { url, apiKey: WEIR_API_KEY ?? null, proxy: proxies.value?.of(new URL(url)) ?? null } };
}

function present(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

function protocolOf(url: string): string {
  return /^[a-z][a-z0-9+.-]*:/.exec(url)?.[0] ?? '';
}

/** Bounds of single settings; the others are whole numbers from 1. */
const MOST: Partial<Record<keyof Settings, number>> = {
  // Plan records hold a line's length in 32 bits and its model's number in 16.
  maxLineBytes: 1024 ** 3,
  maxModels: 65_535,
  maxFileBytes: 2 ** 47,
  maxOpenSegments: 10_000,
  // A seat at each provider, beside that of the main thread's calls.
  engineThreads: SEATS_MAX - 1,
  // Timers hold 31 bits of milliseconds.
  requestTimeoutMs: 2 ** 31 - 1,
  partDelayMs: 60_000,
  leaseSeconds: 3_600,
  keepProviderFiles: 1,
  autobatchWaitMs: 3_600_000,
  autobatchWindowSeconds: 30 * 86_400,
  autobatchHoldSeconds: 86_400,
};
const LEAST: Partial<Record<keyof Settings, number>> = {
  engineThreads: 0,
  partDelayMs: 0,
  unreadableSeconds: 0,
  outageSeconds: 0,
  drainSeconds: 0,
  modelListSeconds: 0,
  pollSecondsMin: 0,
  cancelSeconds: 0,
  keepProviderFiles: 0,
  autobatchWaitMs: 0,
  leaseSeconds: 5,
};

const NAMES = Object.keys(DEFAULT_SETTINGS) as (keyof Settings)[];

const overridesSchema = z.strictObject(
  Object.fromEntries(
    NAMES.map((name) => [
      snakeCase(name),
      z
        .int()
        .min(LEAST[name] ?? 1)
        .max(MOST[name] ?? Number.MAX_SAFE_INTEGER)
        .optional(),
    ]),
  ),
);

/** The settings with the overrides of the config's `settings`, whose names are those of Settings in snake_case. */
export function readSettings(
  overrides: unknown,
  path: Path,
  problems: Problem[],
  defaults: Settings = DEFAULT_SETTINGS,
): Settings {
  const checked = check(overridesSchema, overrides ?? {}, path);
  if (!checked.ok) {
    problems.push(...checked.problems);
    return defaults;
  }
  const stated = NAMES.map((name) => [name, checked.value[snakeCase(name)] ?? defaults[name]]);
  return Object.fromEntries(stated) as unknown as Settings;
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
