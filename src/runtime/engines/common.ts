import type { Region } from '../../core/shared/region.ts';
import { Regions } from '../../core/shared/regions.ts';
import type { Seat } from '../../core/shared/slots.ts';
import type { Common } from '../../ports/common.ts';
import type { GateFigures } from '../../ports/gates.ts';

/** What each thread is given to have the same. */
export interface CommonMemory {
  memory: SharedArrayBuffer;
  /** 8 random bytes. */
  key: Uint8Array;
  seats: number;
}

/** The way from one thread to the others. */
export interface CommonLink {
  /** Brings word to the thread of a seat that it is to look at its gates. */
  pump(seat: number): void;
  /** Calls `grant` when this thread has the turn of a key. */
  askTurn(key: string, grant: () => void): void;
  endTurn(key: string): void;
}

/** Words of the region of wakes, from here on one for each seat: whether it was woken and has not looked yet. */
const WOKEN = 1;

export function allocateCommon(seats: number, key: Uint8Array): CommonMemory {
  return { memory: Regions.allocate(), key, seats };
}

/** What one thread sees of what the engines of its server have in common. */
export class ThreadCommon implements Common {
  readonly seat: Seat;
  private readonly regions: Regions;
  private readonly woken: Int32Array;
  private readonly link: CommonLink;
  private readonly figures = new Map<number, Record<string, GateFigures>>();

  constructor({ memory, key, seats }: CommonMemory, own: number, link: CommonLink) {
    this.link = link;
    this.regions = new Regions(memory, key);
    this.woken = this.region('wakes').ints;
    this.seat = {
      own,
      count: seats,
      wake: (seat) => {
        if (Atomics.exchange(this.woken, WOKEN + seat, 1) === 0) link.pump(seat);
      },
    };
  }

  region(name: string): Region {
    return this.regions.get(name);
  }

  /** The thread of a seat looks at its gates from now on, or is no more: it may be woken again. */
  looks(seat: number): void {
    Atomics.store(this.woken, WOKEN + seat, 0);
  }

  /** What the engine of a seat says of its providers; null: it is no more. */
  note(seat: number, figures: Record<string, GateFigures> | null): void {
    if (figures === null) this.figures.delete(seat);
    else this.figures.set(seat, figures);
  }

  turn(key: string): Promise<() => void> {
    return new Promise((resolve) => {
      this.link.askTurn(key, () => resolve(() => this.link.endTurn(key)));
    });
  }

  figuresOf(provider: string): GateFigures[] {
    return [...this.figures.values()].flatMap((figures) => figures[provider] ?? []);
  }
}
