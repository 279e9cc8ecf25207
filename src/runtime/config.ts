import { z } from 'zod';
import type { Provider } from '../../providers/contract.ts';
import type { Kinds } from '../../providers/contract-kind.ts';
import { scheduleSchema } from '../core/batch-hours.ts';
import { suggestion } from '../core/close-names.ts';
import { completeLimits } from '../core/key-budget.ts';
import { compileOwnPrice, type OwnPriceBook, ownPriceSchema } from '../core/own-price.ts';
import { type Checked, check, formatPath, type Problem } from '../core/problems.ts';
import { checkRoute } from '../core/route-check.ts';
import type { Settings } from '../ports/settings.ts';
import { type KeyLimits, keyLimitsInputSchema } from '../protocol/key.ts';
import { ROUTE_NAME_PATTERN, ROUTE_NAME_RULE, type Route } from '../protocol/route.ts';
import { readConfigText } from './config-text.ts';
import type { Environment } from './env.ts';
import { readSettings } from './settings.ts';

/** What a config file comes to. */
export interface Config {
  providers: ReadonlyMap<string, Provider>;
  ownPrices: ReadonlyMap<string, OwnPriceBook>;
  routes: ReadonlyMap<string, Route>;
  settings: Settings;
  /** What keys may use that state no limit of their own. */
  keyLimits: KeyLimits;
  /** Hosts that webhooks may reach whatever their address. */
  webhookHosts: ReadonlySet<string>;
  /** A proxy that leads to webhooks resolves their names. */
  webhookProxyResolves: boolean;
}

export interface ConfigOptions {
  environment: Environment;
  kinds: Kinds;
  /** Settings that the config leaves out; Node's by default. */
  defaults?: Settings;
}

/** No slash and no @: requests name a model as `provider/model` or `@provider/model`. */
const PROVIDER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Shorter values stand in ordinary words. */
const SHORTEST_SECRET = 4;

/** A host name or an address, as URLs write it, without brackets and port. */
const webhookHost = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,253}$/, 'must be a host name or an address, without a port')
  .transform((host) => host.toLowerCase());

const fileSchema = z.strictObject({
  providers: z.record(z.string(), z.unknown()).nullish(),
  routes: z.record(z.string(), z.unknown()).nullish(),
  settings: z.unknown().optional(),
  key_limits: keyLimitsInputSchema.nullish(),
  webhooks: z
    .strictObject({ allow_hosts: z.array(webhookHost).nullish(), proxy_resolves: z.boolean().nullish() })
    .nullish(),
});

/** Reads a config file's text. Finds everything wrong with it at once; no message holds a value of the environment. */
export async function readConfig(text: string, options: ConfigOptions): Promise<Checked<Config>> {
  const problems: Problem[] = [];
  const { value, secrets } = await readConfigText(text, options.environment, problems);
  const config = problems.some((problem) => problem.path.startsWith('line '))
    ? null
    : await readTree(value ?? {}, options, problems);
  if (config !== null && problems.length === 0) return { ok: true, value: config };
  return { ok: false, problems: problems.map((problem) => hideSecrets(problem, secrets)) };
}

async function readTree(tree: unknown, options: ConfigOptions, problems: Problem[]): Promise<Config | null> {
  const file = check(fileSchema, tree);
  if (!file.ok) {
    problems.push(...file.problems);
    return null;
  }
  const entries = Object.entries(file.value.providers ?? {});
  const names = new Set(entries.map(([name]) => name));
  const providers = new Map<string, Provider>();
  const ownPrices = new Map<string, OwnPriceBook>();
  for (const [name, entry] of entries) {
    const provider = await readProvider(name, entry, options.kinds, problems);
    if (provider === null) continue;
    providers.set(name, provider);
    const price = check(ownPriceSchema.optional(), (entry as { price?: unknown }).price, ['providers', name, 'price']);
    if (!price.ok) problems.push(...price.problems);
    else if (price.value !== undefined) ownPrices.set(name, compileOwnPrice(price.value));
  }
  const routes = new Map<string, Route>();
  for (const [name, entry] of Object.entries(file.value.routes ?? {})) {
    const route = readRoute(name, entry, names, problems);
    if (route !== null) routes.set(name, route);
  }
  const settings = readSettings(file.value.settings, ['settings'], problems, options.defaults);
  return {
    providers,
    ownPrices,
    routes,
    settings,
    keyLimits: completeLimits(file.value.key_limits),
    webhookHosts: new Set(file.value.webhooks?.allow_hosts),
    webhookProxyResolves: file.value.webhooks?.proxy_resolves === true,
  };
}

async function readProvider(name: string, entry: unknown, kinds: Kinds, problems: Problem[]): Promise<Provider | null> {
  const path = ['providers', name];
  const report = (at: readonly string[], message: string) => {
    problems.push({ path: formatPath(at), message });
    return null;
  };
  if (!PROVIDER_NAME.test(name)) {
    return report(path, 'use 1 to 64 letters, digits, . _ or - as a name, starting with a letter or digit');
  }
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) return report(path, 'must be a mapping');
  const { kind } = entry as { kind?: unknown };
  const known = [...kinds.keys()];
  if (typeof kind !== 'string') return report([...path, 'kind'], `is required: one of ${known.join(', ')}`);
  const read = kinds.get(kind);
  if (read === undefined) {
    return report(
      [...path, 'kind'],
      `this version has no such kind.${suggestion(kind, known)} Use ${known.join(', ')}`,
    );
  }
  const found = await read();
  const settings = check(found.settings, entry, path);
  if (settings.ok) return { ...found.create(name, settings.value), ...commonOf(entry) };
  problems.push(...settings.problems);
  return null;
}

/** What is the same for every kind, of an entry whose settings were found to be right. */
function commonOf(entry: object): Pick<Provider, 'schedule' | 'account'> {
  const { schedule, account } = entry as { schedule?: unknown; account?: string };
  const parsed = scheduleSchema.optional().parse(schedule);
  return { ...(parsed && { schedule: parsed }), ...(account !== undefined && { account }) };
}

function readRoute(name: string, entry: unknown, providers: ReadonlySet<string>, problems: Problem[]): Route | null {
  const path = ['routes', name];
  if (!ROUTE_NAME_PATTERN.test(name))
    problems.push({ path: formatPath(path), message: `${ROUTE_NAME_RULE} as a name` });
  const checked = checkRoute(entry, providers, path);
  if (checked.ok) return checked.value;
  problems.push(...checked.problems);
  return null;
}

/** Messages name fields, not values; should one repeat a value all the same, the variable's name takes its place. */
function hideSecrets(problem: Problem, secrets: ReadonlyMap<string, string>): Problem {
  let { message } = problem;
  for (const [value, name] of secrets) {
    if (value.length >= SHORTEST_SECRET) message = message.replaceAll(value, () => `\${${name}}`);
  }
  return { ...problem, message };
}
