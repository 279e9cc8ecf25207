import { askedLines } from '../../../src/store/schema/asked-lines.ts';
import { batches } from '../../../src/store/schema/batches.ts';
import {
  budgetAlerts,
  budgetAllowances,
  budgetHolds,
  budgetPeriods,
  budgetShards,
} from '../../../src/store/schema/budget-usage.ts';
import { budgets } from '../../../src/store/schema/budgets.ts';
import { cachedAnswers } from '../../../src/store/schema/cached-answers.ts';
import { evalItems } from '../../../src/store/schema/eval-items.ts';
import { evalOutputs } from '../../../src/store/schema/eval-outputs.ts';
import { evalRuns } from '../../../src/store/schema/eval-runs.ts';
import { evalTargets } from '../../../src/store/schema/eval-targets.ts';
import { evals } from '../../../src/store/schema/evals.ts';
import { files } from '../../../src/store/schema/files.ts';
import { guards } from '../../../src/store/schema/guards.ts';
import { idempotency } from '../../../src/store/schema/idempotency.ts';
import { installation } from '../../../src/store/schema/installation.ts';
import { journals } from '../../../src/store/schema/journals.ts';
import { keys } from '../../../src/store/schema/keys.ts';
import { ledgerBatches } from '../../../src/store/schema/ledger-batches.ts';
import { ledgerDaily } from '../../../src/store/schema/ledger-daily.ts';
import { ledgerEntries } from '../../../src/store/schema/ledger-entries.ts';
import { ledgerHourly } from '../../../src/store/schema/ledger-hourly.ts';
import { parkedCalls } from '../../../src/store/schema/parked-calls.ts';
import { parts } from '../../../src/store/schema/parts.ts';
import { prices } from '../../../src/store/schema/prices.ts';
import { rateSets } from '../../../src/store/schema/rate-sets.ts';
import { routes } from '../../../src/store/schema/routes.ts';
import { segments } from '../../../src/store/schema/segments.ts';
import { servers } from '../../../src/store/schema/servers.ts';
import { sessions } from '../../../src/store/schema/sessions.ts';
import { shards } from '../../../src/store/schema/shards.ts';
import { spareParts } from '../../../src/store/schema/spare-parts.ts';
import { tagSets } from '../../../src/store/schema/tag-sets.ts';
import { uploadParts } from '../../../src/store/schema/upload-parts.ts';
import { uploads } from '../../../src/store/schema/uploads.ts';
import { webhookDeliveries } from '../../../src/store/schema/webhook-deliveries.ts';
import { webhooks } from '../../../src/store/schema/webhooks.ts';
import { weirMigrations } from '../../../src/store/schema/weir-migrations.ts';

/** Every table of the schema. */
export const TABLES = [
  askedLines,
  batches,
  budgetAlerts,
  budgetAllowances,
  budgetHolds,
  budgetPeriods,
  budgetShards,
  budgets,
  cachedAnswers,
  evalItems,
  evalOutputs,
  evalRuns,
  evals,
  evalTargets,
  files,
  guards,
  idempotency,
  installation,
  journals,
  keys,
  ledgerBatches,
  ledgerDaily,
  ledgerEntries,
  ledgerHourly,
  parkedCalls,
  parts,
  spareParts,
  prices,
  rateSets,
  routes,
  segments,
  servers,
  sessions,
  shards,
  tagSets,
  uploadParts,
  uploads,
  webhookDeliveries,
  webhooks,
  weirMigrations,
];
