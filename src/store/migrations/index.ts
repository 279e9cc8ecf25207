import type { Migration } from '../migrate.ts';
import { initial } from './0001-initial.ts';
import { shards } from './0002-shards.ts';
import { batchOptions } from './0003-batch-options.ts';
import { ledgerRollups } from './0004-ledger-rollups.ts';
import { keyLimits } from './0005-key-limits.ts';
import { parkedCalls } from './0006-parked-calls.ts';
import { sessions } from './0007-sessions.ts';
import { journals } from './0008-journals.ts';
import { money } from './0009-money.ts';
import { batchPriority } from './0010-batch-priority.ts';
import { cachedAnswers } from './0011-cached-answers.ts';
import { webhooks } from './0012-webhooks.ts';
import { evals } from './0013-evals.ts';
import { budgets } from './0014-budgets.ts';
import { batchFronts } from './0015-batch-fronts.ts';
import { budgetAllowances } from './0016-budget-allowances.ts';
import { askedLines } from './0017-asked-lines.ts';
import { partBusyTime } from './0018-part-busy-time.ts';
import { servers } from './0019-servers.ts';
import { evalJudges } from './0020-eval-judges.ts';
import { spareParts } from './0021-spare-parts.ts';
import { shardPlace } from './0022-shard-place.ts';
import { adjustedShards } from './0023-adjusted-shards.ts';
import { ranAt } from './0024-ran-at.ts';
import { grantedHolds } from './0025-granted-holds.ts';

/** In the order they are applied. A released migration is never edited; a change is a new one. */
export const MIGRATIONS: readonly Migration[] = [
  initial,
  shards,
  batchOptions,
  ledgerRollups,
  keyLimits,
  parkedCalls,
  sessions,
  journals,
  money,
  batchPriority,
  cachedAnswers,
  webhooks,
  evals,
  budgets,
  batchFronts,
  budgetAllowances,
  askedLines,
  partBusyTime,
  servers,
  evalJudges,
  spareParts,
  shardPlace,
  adjustedShards,
  ranAt,
  grantedHolds,
];
