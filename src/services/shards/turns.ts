import type { Settings } from '../../ports/settings.ts';

/** No provider has fewer places than this while it has work, however many providers there are. */
const PLACES_MIN = 2;

/**
 * Whose provider batches may be worked on next: each provider has a share of the places, and so many steps a second. One that
 * hangs, or has thousands due after a restart, neither keeps others from their turn nor is itself run over.
 */
export class Turns {
  private readonly places: number;
  private readonly perSecond: number;
  private readonly running = new Map<string, number>();
  private readonly budgets = new Map<string, { steps: number; at: number }>();

  constructor(settings: Pick<Settings, 'maxShardSteps' | 'shardStepsPerSecond'>, providers: number) {
    const share = Math.ceil(settings.maxShardSteps / Math.max(1, providers));
    this.places = Math.min(settings.maxShardSteps, Math.max(PLACES_MIN, share));
    this.perSecond = settings.shardStepsPerSecond;
  }

  /** Providers whose turn it is not at `now` (milliseconds), and how many steps any other may begin. */
  open(now: number): { exclude: string[]; each: number } {
    const exclude: string[] = [];
    let each = Math.min(this.places, Math.max(1, Math.floor(this.perSecond)));
    for (const provider of this.budgets.keys()) {
      const room = Math.min(
        this.places - (this.running.get(provider) ?? 0),
        Math.floor(this.budgetAt(provider, now).steps),
      );
      if (room < 1) exclude.push(provider);
      else each = Math.min(each, room);
    }
    return { exclude, each };
  }

  begin(provider: string, now: number): void {
    this.running.set(provider, (this.running.get(provider) ?? 0) + 1);
    const budget = this.budgetAt(provider, now);
    this.budgets.set(provider, { ...budget, steps: budget.steps - 1 });
  }

  end(provider: string): void {
    this.running.set(provider, (this.running.get(provider) ?? 1) - 1);
  }

  private budgetAt(provider: string, now: number): { steps: number; at: number } {
    const last = this.budgets.get(provider) ?? { steps: this.perSecond, at: now };
    // A clock that goes back gives nothing and takes nothing.
    const steps = last.steps + (Math.max(0, now - last.at) * this.perSecond) / 1000;
    const budget = { steps: Math.min(this.perSecond, steps), at: now };
    this.budgets.set(provider, budget);
    return budget;
  }
}
