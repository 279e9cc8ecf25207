import type { Migration } from '../migrate.ts';

/** What servers may have under way of the batches that budgets cover. */
export const budgetAllowances: Migration = {
  name: '0016-budget-allowances',
  statements: [
    `create table budget_allowances (
      batch_id text not null,
      taker text not null,
      amount_nano integer not null,
      primary key (batch_id, taker)
    )`,
  ],
};
