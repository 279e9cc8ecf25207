import { PrefixMap, prefixKeys } from '../../core/prefix-map.ts';
import type { Member, Pool } from './pool.ts';

/** A member takes this many times its part of the load before prompts that it knows go elsewhere. */
const LOAD_MAX = 1.25;
const FEW = 4;

/** Keeps requests whose prompts begin alike on one member, whose prefix cache then serves them, without overloading it. */
export class Prefixes {
  private readonly pool: Pool;
  private readonly known = new PrefixMap();

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** The member to send a prompt to: the one that knows it best if it has room, else `least`, the least loaded one. */
  choose(least: Member, prompt: string, now: number, part: number): Member {
    const keys = prefixKeys(prompt);
    if (keys.length === 0) return least;
    const { members } = this.pool;
    const knows = members[this.known.find(keys)];
    const chosen = knows && this.pool.mayCall(knows, now, part) && !this.isCrowded(knows, now) ? knows : least;
    this.known.note(keys, members.indexOf(chosen));
    return chosen;
  }

  /** Its part is what it can take of what all can that may be called: the others would have to do its work, too. */
  private isCrowded(member: Member, now: number): boolean {
    let load = 1;
    let limits = 0;
    for (const other of this.pool.members) {
      load += other.inFlight;
      if (this.pool.isInUse(other, now)) limits += limitOf(other);
    }
    const part = Math.ceil((LOAD_MAX * load * limitOf(member)) / limits);
    return member.inFlight + 1 > Math.max(part, leastOf(member));
  }
}

/** With so few requests nobody is crowded, though the others have none. */
function leastOf({ adaptive }: Member): number {
  return adaptive === null ? 1 : Math.min(FEW, adaptive.limit / 2);
}

/** Those that are not adaptive are alike. */
function limitOf({ adaptive }: Member): number {
  return adaptive?.limit ?? 1;
}
