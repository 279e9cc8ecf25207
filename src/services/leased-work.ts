/**
 * The leased things of one kind that this process works on: batches, shards, runs of evals. A thing is given back when no
 * more work on it runs, in this order: given back first it could be claimed again, by this very process, before it is known
 * here that nothing runs any more; the claim would be taken for a lease that was renewed, and nobody would work on it
 * until that lapses.
 */
export class LeasedWork {
  /** Of what is worked on now. */
  private readonly running = new Set<string>();
  /** Until the lease is given back, too. */
  private readonly whole = new Set<Promise<void>>();

  /** How many are worked on. */
  get size(): number {
    return this.running.size;
  }

  /** Whose leases go on. */
  get ids(): string[] {
    return [...this.running];
  }

  /**
   * Works on a thing that was claimed and gives it back. Not where work on it runs: its lease had lapsed, while this
   * process was stopped perhaps, and the work goes on under the new one. Neither function may reject.
   */
  begin<Outcome>(id: string, work: () => Promise<Outcome>, giveBack: (outcome: Outcome) => Promise<void>): void {
    if (this.running.has(id)) return;
    this.running.add(id);
    const whole = this.run(id, work, giveBack).finally(() => this.whole.delete(whole));
    this.whole.add(whole);
  }

  /** Resolves when nothing is worked on, and all is given back. */
  async idle(): Promise<void> {
    while (this.whole.size > 0) await Promise.all(this.whole);
  }

  private async run<Outcome>(
    id: string,
    work: () => Promise<Outcome>,
    giveBack: (outcome: Outcome) => Promise<void>,
  ): Promise<void> {
    const outcome = await work();
    this.running.delete(id);
    await giveBack(outcome);
  }
}
