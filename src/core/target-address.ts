/** Where a target points: a configured provider and its name for the model; null is not said. */
export interface TargetAddress {
  provider: string | null;
  model: string | null;
  /** Which of the two fields the provider's name came from. */
  spelledIn: 'provider' | 'model' | null;
}

/** Reads `provider` (`name` or `@name`) and `model` (a name, or `@provider/model`) of a target. */
export function readAddress(provider: string | undefined, model: string | undefined): TargetAddress {
  const slash = model?.indexOf('/') ?? -1;
  if (model?.startsWith('@') && slash > 0) {
    return { provider: model.slice(1, slash), model: model.slice(slash + 1), spelledIn: 'model' };
  }
  const name = provider?.startsWith('@') ? provider.slice(1) : provider;
  return { provider: name ?? null, model: model ?? null, spelledIn: name === undefined ? null : 'provider' };
}
