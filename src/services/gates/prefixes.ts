import { PrefixMap, prefixKeys } from '../../core/prefix-map.ts';
import type { Member, Pool } from './pool.ts';

/** A member takes this many times the mean load of all before prompts that it knows go elsewhere. */
const LOAD_MAX = 1.25;

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
    const chosen = knows && this.pool.mayCall(knows, now, part) && !this.isCrowded(knows) ? knows : least;
    this.known.note(keys, members.indexOf(chosen));
    return chosen;
  }

  private isCrowded(member: Member): boolean {
    let sum = 0;
    for (const { inFlight } of this.pool.members) sum += inFlight;
    return member.inFlight + 1 > Math.ceil((LOAD_MAX * (sum + 1)) / this.pool.members.length);
  }
}
