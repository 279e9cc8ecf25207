import type { BatchFlow } from './segment-queue.ts';
import type { SegmentInHand } from './work.ts';

/** Flows that stay open go from model to model: parts are looked at again after so many lines. */
const LINES_TRUSTED = 32;

/**
 * What part of the lines in flight at a provider each of its models may have while others want more. Without that one that
 * answers slowly would have nearly all slots: each line of it that is sent in its turn stays for so much longer.
 *
 * Tenants have equal parts, the batches of a tenant by their weight, and a batch of several models an equal part for each.
 */
export class ModelParts {
  private readonly flows: () => Iterable<BatchFlow>;
  private readonly counts = new Map<string, number>();
  private total = 0;
  /** Each model's part, from 0 to 1; null when it is to be found out anew. */
  private parts: ReadonlyMap<string, number> | null = null;
  private linesTrusted = 0;
  /** Whether a model had no turn since this was last set to false. */
  passedOver = false;

  /** `flows`: the open ones. */
  constructor(flows: () => Iterable<BatchFlow>) {
    this.flows = flows;
  }

  /** Whether there is more than one model to share slots. */
  get any(): boolean {
    this.parts ??= partsOf(this.flows());
    return this.parts.size > 1;
  }

  /** Other flows are open now. */
  change(): void {
    this.parts = null;
  }

  count(model: string, change: 1 | -1): void {
    this.counts.set(model, (this.counts.get(model) ?? 0) + change);
    this.total += change;
    if (change < 0 || --this.linesTrusted > 0) return;
    this.linesTrusted = LINES_TRUSTED;
    this.parts = null;
  }

  /** Whether one more line of the model would be beyond its part. */
  isFull(model: string): boolean {
    this.parts ??= partsOf(this.flows());
    const part = this.parts.get(model);
    const isFull = part !== undefined && (this.counts.get(model) ?? 0) >= part * (this.total + 1);
    this.passedOver ||= isFull;
    return isFull;
  }
}

/** The model that a segment's lines go to first, from the target at `index` of those that share its queue. */
export function modelOf({ lane }: Pick<SegmentInHand, 'lane'>, index: number): string {
  return lane.candidates[lane.shared < 2 ? 0 : index]?.model ?? '';
}

function partsOf(flows: Iterable<BatchFlow>): ReadonlyMap<string, number> {
  const parts = new Map<string, number>();
  const tenants = [...Map.groupBy(flows, ({ batch }) => batch.row.tenantId).values()];
  for (const own of tenants) {
    const weights = own.map(({ weight }) => weight);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const [at, { models }] of own.entries()) {
      const part = (weights[at] ?? 0) / sum / tenants.length / models.size;
      for (const model of models) parts.set(model, (parts.get(model) ?? 0) + part);
    }
  }
  return parts;
}
