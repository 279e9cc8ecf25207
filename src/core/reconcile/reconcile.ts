/** The ledger beside a bill, by day and model: every difference has a cause, and what has none is said to have none. */
import { addTo, type LedgerSums } from '../ledger-sums.ts';
import { attoToNano } from './exact-usd.ts';
import { modelKey } from './model-key.ts';

/** One line of a bill. What a line says nothing about is null: usage and costs often come apart. */
export interface BilledRow {
  /** Unix seconds at which the UTC day begins. */
  day: number;
  /** As the bill names it. */
  model: string;
  /** All input tokens, cached ones included. */
  inputTokens: number | null;
  outputTokens: number | null;
  /** In 10^-18 USD. */
  amountAtto: bigint | null;
}

type BilledFigures = Omit<BilledRow, 'day' | 'model'>;

export interface LedgerDay {
  day: number;
  /** As the provider prices it. */
  model: string;
  sums: LedgerSums;
}

/**
 * Why bill and ledger differ on a day. Explained: `rounding` (the ledger rounds every price line of every entry), and
 * `unpriced` (the ledger has entries without an amount there, and the bill is higher). Not explained: another `price` for
 * the same tokens, another `usage`, what only one of both has, and what the bill has no amount for.
 */
export const CAUSES = [
  'equal',
  'rounding',
  'unpriced',
  'price',
  'usage',
  'amount',
  'not_in_ledger',
  'not_billed',
  'no_amount',
] as const;
export type Cause = (typeof CAUSES)[number];

const EXPLAINED: ReadonlySet<Cause> = new Set(['equal', 'rounding', 'unpriced']);

/** An entry has a few price lines, each rounded by half a nano-dollar at most. */
const ROUNDING_NANO_PER_ENTRY = 2n;

export interface ReconciledRow {
  day: number;
  /** The ledger's name, where it has the model. */
  model: string;
  cause: Cause;
  /** null where the ledger has nothing. */
  ledger: LedgerSums | null;
  /** null where the bill has nothing. */
  billed: { inputTokens: number | null; outputTokens: number | null; amountNano: bigint | null } | null;
  /** Billed less ledger, in nano-USD. */
  difference: bigint;
}

export interface Reconciliation {
  rows: ReconciledRow[];
  ledgerNano: bigint;
  billedNano: bigint;
  /** Differences by cause; together they are billed less ledger. */
  causes: Record<Cause, bigint>;
  explainedNano: bigint;
  unexplainedNano: bigint;
}

/**
 * Puts a bill beside the ledger. `models` maps names of the bill to names of the ledger. All sums are exact: ledger,
 * explained and unexplained add up to what was billed.
 */
export function reconcile(
  ledger: readonly LedgerDay[],
  billed: Iterable<BilledRow>,
  models: ReadonlyMap<string, string> = new Map(),
): Reconciliation {
  const groups = new Map<string, Group>();
  for (const { day, model, sums } of ledger) {
    const group = groupOf(groups, day, model);
    if (group.ledger === null) group.ledger = { ...sums };
    else addTo(group.ledger, sums);
  }
  for (const row of billed) {
    const group = groupOf(groups, row.day, models.get(row.model) ?? row.model);
    group.billed ??= { inputTokens: null, outputTokens: null, amountAtto: null };
    addBilled(group.billed, row);
  }
  const rows = [...groups.values()].map(toRow).sort((a, b) => a.day - b.day || compare(a.model, b.model));
  const causes = Object.fromEntries(CAUSES.map((cause) => [cause, 0n])) as Record<Cause, bigint>;
  for (const row of rows) causes[row.cause] += row.difference;
  const sum = (pick: (row: ReconciledRow) => bigint) => rows.reduce((total, row) => total + pick(row), 0n);
  return {
    rows,
    ledgerNano: sum((row) => row.ledger?.amountNano ?? 0n),
    billedNano: sum((row) => row.billed?.amountNano ?? 0n),
    causes,
    explainedNano: sum((row) => (EXPLAINED.has(row.cause) ? row.difference : 0n)),
    unexplainedNano: sum((row) => (EXPLAINED.has(row.cause) ? 0n : row.difference)),
  };
}

interface Group {
  day: number;
  model: string;
  ledger: LedgerSums | null;
  billed: BilledFigures | null;
}

function groupOf(groups: Map<string, Group>, day: number, model: string): Group {
  const key = `${day} ${modelKey(model)}`;
  let group = groups.get(key);
  if (group === undefined) {
    group = { day, model, ledger: null, billed: null };
    groups.set(key, group);
  }
  return group;
}

/** Adds a line of a bill to others of its day and model, in place. */
export function addBilled(billed: BilledFigures, row: BilledFigures): void {
  if (row.inputTokens !== null) billed.inputTokens = (billed.inputTokens ?? 0) + row.inputTokens;
  if (row.outputTokens !== null) billed.outputTokens = (billed.outputTokens ?? 0) + row.outputTokens;
  if (row.amountAtto !== null) billed.amountAtto = (billed.amountAtto ?? 0n) + row.amountAtto;
}

function toRow({ day, model, ledger, billed }: Group): ReconciledRow {
  const amountNano = billed === null || billed.amountAtto === null ? null : attoToNano(billed.amountAtto);
  const shown = billed && { inputTokens: billed.inputTokens, outputTokens: billed.outputTokens, amountNano };
  const difference = (amountNano ?? 0n) - (ledger?.amountNano ?? 0n);
  return { day, model, ledger, billed: shown, difference, cause: causeOf(ledger, shown, difference) };
}

function causeOf(ledger: LedgerSums | null, billed: ReconciledRow['billed'], difference: bigint): Cause {
  if (ledger === null) return 'not_in_ledger';
  if (billed === null) return difference === 0n ? 'equal' : 'not_billed';
  if (billed.amountNano === null) return 'no_amount';
  const tokensDiffer =
    (billed.inputTokens !== null && billed.inputTokens !== ledger.inputTokens) ||
    (billed.outputTokens !== null && billed.outputTokens !== ledger.outputTokens);
  const size = difference < 0n ? -difference : difference;
  if (!tokensDiffer && difference === 0n) return 'equal';
  if (!tokensDiffer && size <= ROUNDING_NANO_PER_ENTRY * BigInt(Math.max(0, ledger.entries))) return 'rounding';
  if (ledger.unpricedEntries > 0 && difference > 0n) return 'unpriced';
  if (tokensDiffer) return 'usage';
  return billed.inputTokens === null && billed.outputTokens === null ? 'amount' : 'price';
}

/** By code units, the same everywhere. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
