import type { ProviderObject } from '../../../../protocol/route.ts';

/**
 * The providers in which every word of `text` is found: in the name, the kind, the health, an endpoint or a model, which
 * then comes first among its like; or in one server's name or health, of which only such servers are left.
 */
export function searchProviders(providers: readonly ProviderObject[], text: string): readonly ProviderObject[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return providers;
  return providers.flatMap((provider) => found(provider, words) ?? []);
}

function found(provider: ProviderObject, words: readonly string[]): ProviderObject | null {
  const { name, kind, health, endpoints, models, members } = provider;
  const own = [name, kind, health, ...endpoints, ...models].map((value) => value.toLowerCase());
  // Words of the provider itself bring all its servers along; the others must be one server's.
  const rest = words.filter((word) => !own.some((value) => value.includes(word)));
  const isServer = (member: ProviderObject['members'][number]): boolean => {
    const its = [member.name, member.health.replaceAll('_', ' '), member.health_reason ?? ''].join('\n').toLowerCase();
    return rest.every((word) => its.includes(word));
  };
  const servers = rest.length === 0 ? members : members.filter(isServer);
  if (rest.length > 0 && servers.length === 0) return null;
  const isNamed = (model: string): boolean => words.some((word) => model.toLowerCase().includes(word));
  const ordered = [...models.filter(isNamed), ...models.filter((model) => !isNamed(model))];
  return { ...provider, members: servers, models: ordered };
}
