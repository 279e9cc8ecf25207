import type { Migration } from '../migrate.ts';

/** What a hold was before a lowered limit took of it; of earlier ones nobody knows more than they have. */
export const grantedHolds: Migration = {
  name: '0025-granted-holds',
  statements: [
    'alter table budget_holds add column granted_nano integer not null default 0',
    'update budget_holds set granted_nano = amount_nano',
  ],
};
