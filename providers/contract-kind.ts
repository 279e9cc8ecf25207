import type { ZodType } from 'zod';
import type { Provider } from './contract.ts';

/** A kind of provider, as `kind:` in the config names it. */
export interface ProviderKind<Settings = unknown> {
  readonly kind: string;
  /** True when it needs what only Node has, such as servers of its own: other runtimes refuse it in the config. */
  readonly nodeOnly?: boolean;
  /** Parses a provider's whole config entry (`kind` and `price` included), `${ENV}` already replaced. */
  readonly settings: ZodType<Settings>;
  /** Cannot fail and does nothing outside: whatever can be wrong is refused by `settings`. */
  create(name: string, settings: Settings): Provider;
}

/** The kinds that there are, by name. Each is read when it is asked for: a server needs the code of a few at most. */
export type Kinds = ReadonlyMap<string, () => Promise<ProviderKind>>;
