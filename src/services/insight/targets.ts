import { type Lane, targetName } from '../../core/lane.ts';
import { totalOf } from '../../core/ledger-sums.ts';
import { isRequest } from '../../core/plan.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { LedgerSummaryRow } from '../../ports/store-ledger.ts';
import type { BatchTarget } from '../../protocol/batch-insight.ts';
import { readPlan, WINDOW_LINES } from '../batches/read-plan.ts';
import { fetchBatch } from '../batches/retrieve.ts';
import { type ExactFigures, toFigures } from '../ledger/present.ts';

/** How a batch's lines were divided when it started never changes, and counting them takes long for millions. */
const plans = new Map<string, Map<string, Planned>>();
const PLANS_KEPT = 100;

interface Planned {
  weight: number | null;
  /** Null when some of its lines are pulled from a queue that it shares. */
  requests: number | null;
}

type ExactTarget = Omit<BatchTarget, keyof ExactFigures> & ExactFigures;

/** The split of a batch: what each target was meant to get, and what it got. In the order of the route. */
export async function batchTargets(deps: Deps, context: Context, id: string): Promise<ExactTarget[]> {
  const batch = await fetchBatch(deps, context, id);
  const planned = await planOf(deps, batch);
  const filter = { tenantId: batch.tenantId, batchId: batch.id };
  const rows = await deps.store.ledger.summary(filter, ['target', 'status'], null);
  const byTarget = Map.groupBy(rows, (row) => String(row.group.target));
  const inFlight = deps.inFlight?.of(batch.id);
  const names = new Set([...planned.keys(), ...byTarget.keys(), ...(inFlight?.keys() ?? [])]);
  const held = heldTargets(deps, batch);
  return [...names].map((target) => ({
    ...present(target, planned.get(target), byTarget.get(target) ?? [], inFlight?.get(target) ?? 0),
    held: held.get(target) ?? null,
  }));
}

/** Of the batch's targets, those that take no lines sent at once, by their names. */
function heldTargets({ gates }: Pick<Deps, 'gates'>, { lanes }: BatchRow): Map<string, BatchTarget['held']> {
  const held = new Map<string, BatchTarget['held']>();
  const candidates = lanes.flatMap((lane) => (lane.kind === 'run' ? lane.candidates : []));
  for (const [provider, gate] of gates) {
    const figures = gate.figures();
    const { unreachable } = figures;
    if (unreachable !== null) {
      const { reason, since } = unreachable;
      const why = { state: 'unreachable', code: 'unreachable', message: reason, since } as const;
      for (const candidate of candidates)
        if (candidate.provider === provider && candidate.mode !== 'batch') held.set(targetName(candidate), why);
    }
    // That the account is refused outlasts an outage.
    for (const { model, ...why } of figures.held) held.set(targetName({ provider, model }), why);
  }
  return held;
}

function present(
  target: string,
  planned: Planned | undefined,
  rows: readonly LedgerSummaryRow[],
  inFlight: number,
): Omit<ExactTarget, 'held'> {
  const requests = (succeeded: boolean) =>
    rows.reduce((sum, row) => sum + ((row.group.status === 'succeeded') === succeeded ? row.requests : 0), 0);
  return {
    target,
    weight: planned?.weight ?? null,
    planned: planned?.requests ?? null,
    completed: requests(true),
    failed: requests(false),
    in_flight: inFlight,
    ...toFigures(totalOf(rows)),
  };
}

async function planOf(deps: Deps, batch: BatchRow): Promise<Map<string, Planned>> {
  const known = plans.get(batch.id);
  if (known) return known;
  const counted = await countLanes(deps, batch);
  const planned = new Map<string, Planned>();
  for (const [number, lane] of batch.lanes.entries()) addLane(planned, lane, counted?.get(number) ?? 0);
  if (counted === null) for (const each of planned.values()) each.requests = null;
  else {
    plans.set(batch.id, planned);
    const oldest = plans.keys().next();
    if (plans.size > PLANS_KEPT && !oldest.done) plans.delete(oldest.value);
  }
  return planned;
}

function addLane(planned: Map<string, Planned>, lane: Lane, requests: number): void {
  if (lane.kind !== 'run') return;
  for (const [index, candidate] of lane.candidates.entries()) {
    const name = targetName(candidate);
    const isFirst = index < lane.shared;
    const entry = planned.get(name) ?? { weight: null, requests: 0 };
    if (isFirst) {
      entry.weight ??= candidate.weight;
      entry.requests = lane.shared > 1 || entry.requests === null ? null : entry.requests + requests;
    }
    planned.set(name, entry);
  }
}

/** Requests by number of lane; null when the files that tell are gone or not there yet. */
async function countLanes(deps: Deps, batch: BatchRow): Promise<Map<number, number> | null> {
  const input = await deps.store.files.getAny(batch.inputFileId);
  const lanesKey = batch.lanesKey;
  if (lanesKey === null || !input?.plan || (await deps.files.size(lanesKey)) === null) return null;
  const { lines, requests } = input.plan;
  const hasPlan = lines === requests || (await deps.files.size(input.planKey ?? '')) !== null;
  if (!hasPlan) return null;
  const counts = new Map<number, number>();
  for (let first = 0; first < lines; first += WINDOW_LINES) {
    const count = Math.min(WINDOW_LINES, lines - first);
    const bytes = await deps.files.readRange(lanesKey, { offset: first * 2, length: count * 2 });
    const numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const plan = lines === requests ? null : await readPlan(deps, input, first, count);
    for (let index = 0; index < count; index++) {
      if (plan && !isRequest(plan, index)) continue;
      const number = numbers.getUint16(index * 2, true);
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
  }
  return counts;
}
