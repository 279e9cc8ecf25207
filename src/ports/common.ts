import type { Region } from '../core/shared/region.ts';
import type { Seat } from '../core/shared/slots.ts';
import type { GateFigures } from './gates.ts';

/** What the engines of one server have in common, each in a thread of its own: the bounds that hold for all of them. */
export interface Common {
  readonly seat: Seat;
  /** The memory of this name, the same for all. */
  region(name: string): Region;
  /** Resolves when this engine is the only one that does what `key` stands for; to be called when that is done. */
  turn(key: string): Promise<() => void>;
  /** What the other engines said last of a provider. */
  figuresOf(provider: string): readonly GateFigures[];
}
