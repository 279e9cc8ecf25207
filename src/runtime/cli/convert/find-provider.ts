import { readFile } from 'node:fs/promises';
import type { BatchApi, Provider } from '../../../../providers/contract.ts';
import { kinds } from '../../../../providers/registry.ts';
import { suggestion } from '../../../core/close-names.ts';
import { check, formatProblems } from '../../../core/problems.ts';
import type { Route } from '../../../protocol/route.ts';
import type { Environment } from '../../env.ts';
import { type Loaded, loadConfig } from '../../load.ts';
import { StartError } from '../../problems.ts';
import { wrongUse } from '../exit.ts';
import { PLACEHOLDER_KINDS, placeholderEntry } from './placeholders.ts';

export interface Found {
  provider: Provider;
  api: BatchApi;
  /** Why one with made-up settings stands in for its kind; null for a provider of the config. */
  placeholder: string | null;
  /** Everything that routes may name. */
  providers: ReadonlyMap<string, Provider>;
  routes: ReadonlyMap<string, Route>;
}

/**
 * The provider that `to` names: one of the config, else one made up for a kind. A config that cannot be used matters
 * only to those who need something of it. Throws CliError or StartError.
 */
export async function findProvider(
  to: string,
  model: string | undefined,
  environment: Environment,
  needsConfig: boolean,
): Promise<Found> {
  const entry = placeholderEntry(to, model ?? 'placeholder');
  const loaded = await readConfig(environment, needsConfig || entry === null);
  const configured = new Map(loaded?.config.providers);
  const routes = loaded?.config.routes ?? new Map<string, Route>();
  const named = configured.get(to);
  const provider = named ?? (entry === null ? undefined : await makeUp(to, entry));
  if (provider === undefined) throw wrongUse(unknownMessage(to, [...configured.keys()]), 'to');
  if (provider.batch === undefined) throw wrongUse(noBatchMessage(provider), 'to');
  return {
    provider,
    api: provider.batch,
    placeholder: named === undefined ? placeholderReason(to, loaded !== null) : null,
    providers: configured.set(to, provider),
    routes,
  };
}

function placeholderReason(to: string, hasConfig: boolean): string {
  const reason = hasConfig ? `The config has no provider ${to}` : 'The config cannot be used here';
  return `${reason}: placeholders stand for the settings of ${to}.`;
}

async function readConfig(environment: Environment, isNeeded: boolean): Promise<Loaded | null> {
  const readText = (path: string) => readFile(path, 'utf8').catch(() => null);
  try {
    return await loadConfig({ environment, kinds, readText });
  } catch (error) {
    if (error instanceof StartError && !isNeeded) return null;
    throw error;
  }
}

async function makeUp(kind: string, entry: Record<string, unknown>): Promise<Provider | undefined> {
  const found = await kinds.get(kind)?.();
  if (found === undefined) return undefined;
  const settings = check(found.settings, entry);
  if (settings.ok) return found.create(kind, settings.value);
  throw wrongUse(`No ${kind} provider can be made up for this model (${formatProblems(settings.problems)}).`, 'model');
}

function unknownMessage(to: string, configured: readonly string[]): string {
  const usable = PLACEHOLDER_KINDS.filter((kind) => kinds.has(kind));
  if (kinds.has(to)) {
    const remedy = `Name a provider of the config that has one, or one of the kinds ${usable.join(', ')}.`;
    return `No batch service is known for the kind ${to} alone. ${remedy}`;
  }
  const hint = suggestion(to, [...configured, ...usable]).replaceAll("'", '');
  const names = configured.length === 0 ? '' : ` Configured providers: ${configured.slice(0, 20).join(', ')}.`;
  return `There is no provider and no kind ${to}.${hint}${names} Kinds: ${usable.join(', ')}.`;
}

function noBatchMessage({ name, kind }: Provider): string {
  const remedy = PLACEHOLDER_KINDS.includes(kind)
    ? `See config/weir.example.yaml for what its batches need, or use --to ${kind} unless a provider has that name.`
    : 'Requests reach it one by one, as they are.';
  return `The provider ${name} (kind ${kind}) has no batch service as it is configured. ${remedy}`;
}
