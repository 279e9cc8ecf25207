import { ApiError } from '../../core/api-error.ts';
import { suggestion } from '../../core/close-names.ts';
import { listOwners } from '../../core/model-names.ts';
import type { Actor } from '../../ports/deps.ts';
import type { ModelObject } from '../../protocol/route.ts';
import { discoverModels } from './discover.ts';
import { type ResolveDeps, routesOf } from './resolve.ts';

/** Every name that a request's `model` may hold: routes, `provider/model`, and bare names that mean one thing. */
export async function listModels(deps: ResolveDeps, actor: Actor): Promise<ModelObject[]> {
  const [routes, lists] = await Promise.all([routesOf(deps, actor.tenantId), discoverModels(deps)]);
  const names = new Map<string, string>();
  for (const name of routes.keys()) names.set(name, 'weir');
  for (const [provider, list] of lists) {
    for (const model of list.models ?? []) names.set(`${provider}/${model}`, provider);
  }
  for (const [model, owners] of listOwners(lists)) {
    // A first part that is a provider's name would be read as that provider.
    const readAsAddress = deps.providers.has(model.split('/', 1)[0] ?? '') && model.includes('/');
    if (owners.length === 1 && !names.has(model) && !readAsAddress) names.set(model, owners[0] ?? '');
  }
  return [...names].map(([id, owner]) => ({ id, object: 'model', created: 0, owned_by: owner }));
}

/** One of them. Throws 404 naming what is close. */
export async function getModel(deps: ResolveDeps, actor: Actor, id: string): Promise<ModelObject> {
  const models = await listModels(deps, actor);
  const found = models.find((model) => model.id === id);
  if (found !== undefined) return found;
  const close = suggestion(
    id,
    models.map((model) => model.id),
  );
  throw new ApiError(404, `The model '${id.slice(0, 128)}' does not exist.${close || ' GET /v1/models lists them.'}`, {
    code: 'model_not_found',
    param: 'model',
  });
}
