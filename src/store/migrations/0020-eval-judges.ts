import type { Migration } from '../migrate.ts';

/** Judges with a route or a window of their own are batches of their own. */
export const evalJudges: Migration = {
  name: '0020-eval-judges',
  statements: [`alter table eval_targets add column other_judge_batch_ids text not null default '[]'`],
};
