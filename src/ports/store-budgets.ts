import type { PeriodBounds } from '../core/budget-period.ts';
import type { BudgetScope, Spender } from '../core/budget-scope.ts';
import type { BudgetPeriod, OnInsufficient, UnpricedRule } from '../protocol/budget.ts';
import type { ListQuery } from './store-query.ts';
import type { WebhookEvent } from './store-webhooks.ts';

export interface BudgetRow extends BudgetScope {
  id: string;
  name: string;
  /** Tenant of the administrator who made it: where it is told of, whatever it counts. */
  ownerTenantId: string;
  limitNano: number;
  period: BudgetPeriod;
  /** IANA name; where days, weeks and months begin. */
  timeZone: string;
  /** Unix seconds: when the one period of a total budget begins. */
  since: number;
  /** What becomes of a batch that may not fit: it is refused, or it runs and is stopped at the limit. */
  onInsufficient: OnInsufficient;
  /** What becomes of requests to targets without a price. */
  unpriced: UnpricedRule;
  /** Percent of the limit at which somebody is told, ascending. */
  thresholds: number[];
  createdAt: number;
  updatedAt: number;
}

/** Money in nano-USD; what is spent is the sum of the ledger's entries in the period. */
export interface BudgetUsage extends PeriodBounds {
  spentNano: bigint;
  /** What running batches and calls may still come to. */
  heldNano: bigint;
  alerts: { threshold: number; at: number }[];
}

export interface BudgetState extends BudgetRow {
  usage: BudgetUsage;
}

export type BudgetChange = Partial<
  Pick<BudgetRow, 'name' | 'limitNano' | 'onInsufficient' | 'unpriced' | 'thresholds'>
>;

/** What a batch or a call asks of the budgets that cover it. */
export interface HoldAsk extends Spender {
  /** Id of the batch or call. */
  holder: string;
  /** The most that it is expected to come to. */
  amountNano: number;
}

export interface CallHoldAsk extends HoldAsk {
  /** Unix seconds; the hold ends by itself then. */
  expiresAt: number;
}

export interface BudgetAlert {
  /** Of the event. */
  id: string;
  budget: BudgetRow;
  period: PeriodBounds;
  /** Percent of the limit. */
  threshold: number;
  spentNano: bigint;
  limitNano: number;
  at: number;
}

export interface StoreBudgets {
  /**
   * Adds a budget with this period, of which the ledger tells what is spent, and holds nothing for the batches it covers
   * that run already. A row with this id already there is left as it is.
   */
  insert(row: BudgetRow, period: PeriodBounds): Promise<void>;
  get(id: string, now: number): Promise<BudgetState | null>;
  /** Null when `after` names no budget. */
  list(query: ListQuery, now: number): Promise<BudgetState[] | null>;
  /** Whether there is any budget, or anything left of one. */
  any(): Promise<boolean>;
  /** Every budget. */
  all(): Promise<BudgetRow[]>;
  /** The budgets that cover a batch or call, with what is spent and held. */
  covering(spender: Spender, now: number): Promise<BudgetState[]>;
  /** False for an unknown id. With a limit, what is held for batches becomes no more than what is left: the oldest keep theirs, or have them back. */
  update(id: string, change: BudgetChange, now: number): Promise<boolean>;
  /** Removes a budget with all that was kept for it. */
  delete(id: string): Promise<boolean>;

  /** Budgets of which no period is known that goes on until `until`, with the end of the last one. */
  endingBefore(until: number): Promise<(BudgetRow & { knownUntil: number })[]>;
  /** Adds a period, with what the ledger has of it; one that is there is left as it is. */
  addPeriod(row: BudgetRow, period: PeriodBounds): Promise<void>;

  /**
   * Holds the amounts of calls, each wholly or not at all; answers for each of them whether its budgets let it through.
   * One that no budget covers is let through, and nothing is held for it.
   */
  holdCalls(asks: readonly CallHoldAsk[], now: number): Promise<boolean[]>;
  /**
   * Sets aside what a provider batch that is not made yet may come to, in place of what was before. `fits` when it is, as it
   * always is where no budget covers its batch, `full` when it would with what is under way, `never` when it is too much also
   * for what is left.
   */
  holdShard(shard: { id: string; batchId: string; boundNano: number }, now: number): Promise<'fits' | 'full' | 'never'>;

  /** Stops running batches, with stop = budget, that a budget covers of which nothing is left; answers their ids. */
  stopExhausted(now: number, limit: number): Promise<string[]>;
  /** Stops one batch so. */
  stopBatch(batchId: string, now: number): Promise<void>;
  /**
   * Ends the holds of batches that have ended and of calls whose time is over; with `calls`, those of every call. What a
   * lowered limit took from other holds is theirs again as far as there is room now.
   */
  reclaim(now: number, query?: { calls: boolean }): Promise<number>;
  /** Notes thresholds that were passed, each once in a period; answers up to `limit` that nobody was told of. */
  takeAlerts(now: number, limit: number): Promise<BudgetAlert[]>;
  /** Puts the events of an alert into the outbox, and notes that they are there. */
  tellAlert(id: string, events: readonly WebhookEvent[], now: number): Promise<void>;
}
