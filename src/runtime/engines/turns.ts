interface Asked {
  seat: number;
  grant(): void;
}

/** Who of the engines of a server does what only one of them is to do at a time, by key: first come, first served. */
export class Turns {
  /** The first of each has its turn, the others wait. */
  private readonly asked = new Map<string, Asked[]>();

  /** `grant` is called when it is the turn of the engine in this seat, which may be at once. */
  ask(key: string, seat: number, grant: () => void): void {
    const queue = this.asked.get(key);
    if (queue === undefined) {
      this.asked.set(key, [{ seat, grant }]);
      grant();
    } else queue.push({ seat, grant });
  }

  /** The turn of this engine is over. */
  over(key: string, seat: number): void {
    const queue = this.asked.get(key);
    if (queue === undefined || queue[0]?.seat !== seat) return;
    queue.shift();
    if (queue[0] === undefined) this.asked.delete(key);
    else queue[0].grant();
  }

  /** The engine in this seat is no more. */
  leave(seat: number): void {
    for (const [key, queue] of this.asked) {
      const waiting = queue.filter((each, index) => index === 0 || each.seat !== seat);
      this.asked.set(key, waiting);
      if (waiting[0]?.seat === seat) this.over(key, seat);
    }
  }
}

/** The turns of an engine in a thread of its own, which asks for them. */
export class AskedTurns {
  private readonly send: (key: string, change: 'ask' | 'over') => void;
  private readonly waiting = new Map<string, (() => void)[]>();

  constructor(send: (key: string, change: 'ask' | 'over') => void) {
    this.send = send;
  }

  ask(key: string, grant: () => void): void {
    const queue = this.waiting.get(key);
    if (queue === undefined) this.waiting.set(key, [grant]);
    else queue.push(grant);
    this.send(key, 'ask');
  }

  over(key: string): void {
    this.send(key, 'over');
  }

  granted(key: string): void {
    const queue = this.waiting.get(key);
    const grant = queue?.shift();
    if (queue?.length === 0) this.waiting.delete(key);
    grant?.();
  }
}
