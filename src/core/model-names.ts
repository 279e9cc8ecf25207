import type { Endpoint } from '../protocol/endpoint.ts';
import type { Route } from '../protocol/route.ts';
import { suggestion } from './close-names.ts';
import { type Failure, refusal } from './failure.ts';
import type { AnswerLimit } from './lane.ts';

/** What routing knows of a provider. */
export interface ProviderFacts {
  endpoints: readonly Endpoint[];
  /** Names of its models; null when it was not asked or did not answer. */
  models: readonly string[] | null;
  /** True when it was asked for its models and did not answer. */
  silent: boolean;
  /** See Provider. */
  answerLimit?(model: string): AnswerLimit | null;
}

export interface Target {
  provider: string;
  model: string;
}

export type Resolution =
  | { kind: 'route'; name: string; route: Route }
  | ({ kind: 'target' } & Target)
  | { kind: 'refuse'; failure: Failure };

export type TargetResolution = Exclude<Resolution, { kind: 'route' }>;

/** What the names in request lines mean, for one tenant at one moment. */
export interface ModelNames {
  /** A route's name, `provider/model`, `@provider/model`, or a model that one provider lists. */
  resolve(model: string): Resolution;
  /** The same without routes. */
  resolveTarget(model: string): TargetResolution;
  /** What a provider can do; undefined when there is none of this name. */
  endpointsOf(provider: string): readonly Endpoint[] | undefined;
  /** The limits of a target's answers, where its provider has its own. */
  answerLimitOf(target: Target): AnswerLimit | null;
}

/** Fixes the meaning of names from routes (the tenant's own already before those of the config) and providers. */
export function createModelNames(
  routes: ReadonlyMap<string, Route>,
  providers: ReadonlyMap<string, ProviderFacts>,
): ModelNames {
  const owners = listOwners(providers);

  function resolveTarget(model: string): TargetResolution {
    const addressed = splitAddress(model, providers);
    if (addressed !== null) return addressed;
    const names = owners.get(model) ?? [];
    const [only] = names;
    if (only !== undefined && names.length === 1) return { kind: 'target', provider: only, model };
    if (names.length > 1) return refuse(ambiguous(model, names));
    return refuse(unknown(model, routes, providers, owners));
  }

  return {
    resolve(model) {
      const route = routes.get(model);
      return route === undefined ? resolveTarget(model) : { kind: 'route', name: model, route };
    },
    resolveTarget,
    endpointsOf: (provider) => providers.get(provider)?.endpoints,
    answerLimitOf: ({ provider, model }) => providers.get(provider)?.answerLimit?.(model) ?? null,
  };
}

/** Whether the meaning of `model` depends on the providers' model lists. */
export function needsModelLists(
  model: string,
  routes: { has(name: string): boolean },
  providers: { has(name: string): boolean },
): boolean {
  return !routes.has(model) && !model.startsWith('@') && !providers.has(prefixOf(model));
}

/** Every listed model with the providers that list it, in the order of the config. */
export function listOwners(providers: ReadonlyMap<string, Pick<ProviderFacts, 'models'>>): Map<string, string[]> {
  const owners = new Map<string, string[]>();
  for (const [provider, facts] of providers) {
    for (const model of new Set(facts.models ?? [])) {
      const names = owners.get(model);
      if (names === undefined) owners.set(model, [provider]);
      else names.push(provider);
    }
  }
  return owners;
}

/** What stands before the first slash; model names may hold more of them. */
function prefixOf(model: string): string {
  const slash = model.indexOf('/');
  return slash < 0 ? '' : model.slice(0, slash);
}

function splitAddress(model: string, providers: ReadonlyMap<string, ProviderFacts>): TargetResolution | null {
  const forced = model.startsWith('@');
  const address = forced ? model.slice(1) : model;
  const provider = prefixOf(address);
  const rest = address.slice(provider.length + 1);
  if (providers.has(provider) && rest !== '') return { kind: 'target', provider, model: rest };
  if (!forced) return null;
  const named = provider === '' ? address : provider;
  const problem = providers.has(named)
    ? `'${show(model)}' names a provider but no model; write '@${show(named)}/<model>'.`
    : `There is no provider '${show(named)}'.${suggestion(named, providers.keys())}`;
  return refuse(problem);
}

function ambiguous(model: string, names: readonly string[]): string {
  const choices = names.slice(0, 10).map((name) => `'${name}/${show(model)}'`);
  return (
    `The model '${show(model)}' is served by ${names.length} providers (${names.slice(0, 10).join(', ')}). ` +
    `Say which one you mean: ${choices.join(' or ')}; or name a route.`
  );
}

function unknown(
  model: string,
  routes: ReadonlyMap<string, Route>,
  providers: ReadonlyMap<string, ProviderFacts>,
  owners: ReadonlyMap<string, string[]>,
): string {
  const known = [...routes.keys(), ...owners.keys()];
  const silent = [...providers].filter(([, facts]) => facts.silent).map(([name]) => name);
  const hint = suggestion(model, known) || ' GET /v1/models lists what is there.';
  const asked =
    silent.length === 0
      ? ''
      : ` These providers did not answer when asked for their models: ${silent.slice(0, 10).join(', ')}; ` +
        `a model there can be named as 'provider/model'.`;
  return `There is no route and no model named '${show(model)}'.${hint}${asked}`;
}

function refuse(message: string): { kind: 'refuse'; failure: Failure } {
  return { kind: 'refuse', failure: refusal('not_found', 'model_not_found', message, 'model') };
}

function show(name: string): string {
  return name.slice(0, 128);
}
