import type { AllowanceAsk } from '../core/budget-allowance.ts';
import { leftFor, underWay } from './budget-left.ts';
import type { Statement } from './client.ts';

/** What of that which nobody has under way one server draws at a time. */
const PARTS = 4;

/**
 * Sets what a server may have under way of a batch: what it has and keeps, and a part of what nobody has, the less the
 * nearer the limit, until it is the one line that it wishes for. It is never more than there is, though what is under way
 * already may be: the last line is sent whatever it comes to. Nothing happens where no budget covers the batch. Runs after
 * the entries of the same write: what they spent is free for nobody.
 */
export function drawAllowance(
  batchId: string,
  now: number,
  { taker, underWayNano, keptNano, wishedNano }: AllowanceAsk,
): Statement {
  const free = `${leftFor('?1', '?6', { drawn: true })} - ${underWay('?1', '?2')}`;
  const part = `cast((free - ?3 + ${PARTS - 1}) / ${PARTS} as integer)`;
  return {
    sql: `insert into budget_allowances (batch_id, taker, amount_nano)
          select ?1, ?2, max(0, min(free, max(?4, ?3 + max(?5, ${part}))))
          from (select ${free} as free) where free is not null
          on conflict (batch_id, taker) do update set amount_nano = excluded.amount_nano`,
    args: [batchId, taker, underWayNano, keptNano, wishedNano, now],
  };
}

/** What `drawAllowance` set for a taker of batch `batches`, of which the one parameter is the word; null without budgets. */
export const ALLOWANCE_COLUMN = `(
  select a.amount_nano from budget_allowances a
  where a.batch_id = batches.id and a.taker = ? and exists (
    select 1 from budget_holds h where h.holder = a.batch_id)) as allowance_nano`;
