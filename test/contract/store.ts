/** What every Store promises, run against an implementation. */
import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../src/ports/store.ts';
import { askedLinesContract } from './store/asked-lines.contract.ts';
import { batchWorkContract } from './store/batch-work.contract.ts';
import { batchesContract } from './store/batches.contract.ts';
import { budgetDrawsContract } from './store/budget-draws.contract.ts';
import { budgetHoldsContract } from './store/budget-holds.contract.ts';
import { budgetLimitsContract } from './store/budget-limits.contract.ts';
import { budgetShardsContract } from './store/budget-shards.contract.ts';
import { budgetsContract } from './store/budgets.contract.ts';
import { claimContract } from './store/claim.contract.ts';
import { commitContract } from './store/commit.contract.ts';
import { evalsContract } from './store/evals.contract.ts';
import { filesContract } from './store/files.contract.ts';
import { idempotencyContract } from './store/idempotency.contract.ts';
import { keysContract } from './store/keys.contract.ts';
import { ledgerContract } from './store/ledger.contract.ts';
import { ledgerSumsContract } from './store/ledger-sums.contract.ts';
import { parkedCallsContract } from './store/parked-calls.contract.ts';
import { routesContract } from './store/routes.contract.ts';
import { segmentsContract } from './store/segments.contract.ts';
import { serversContract } from './store/servers.contract.ts';
import { sessionsContract } from './store/sessions.contract.ts';
import { shardAccountsContract } from './store/shard-accounts.contract.ts';
import { shardCommitContract } from './store/shard-commit.contract.ts';
import { shardSettleContract } from './store/shard-settle.contract.ts';
import { shardsContract } from './store/shards.contract.ts';
import type { Subject } from './store/subject.ts';
import { uploadsContract } from './store/uploads.contract.ts';
import { webhooksContract } from './store/webhooks.contract.ts';

/** An empty database of a test's own. */
export interface EmptyDatabase {
  /** Opens a store on it, as a further process would. */
  open(): Promise<Store>;
  remove(): Promise<void>;
}

export function storeContract(name: string, create: () => Promise<EmptyDatabase>): void {
  describe(`a store on ${name}`, () => {
    let database: EmptyDatabase;
    let opened: Store[];
    const subject: Subject = { store: undefined as unknown as Store, another: open };

    async function open(): Promise<Store> {
      const store = await database.open();
      opened.push(store);
      return store;
    }

    beforeEach(async () => {
      opened = [];
      database = await create();
      subject.store = await open();
    });

    afterEach(async () => {
      for (const store of opened) await store.close();
      await database.remove();
    });

    filesContract(subject);
    uploadsContract(subject);
    batchesContract(subject);
    batchWorkContract(subject);
    budgetsContract(subject);
    budgetHoldsContract(subject);
    budgetLimitsContract(subject);
    budgetDrawsContract(subject);
    budgetShardsContract(subject);
    segmentsContract(subject);
    claimContract(subject);
    commitContract(subject);
    shardsContract(subject);
    shardAccountsContract(subject);
    shardCommitContract(subject);
    shardSettleContract(subject);
    askedLinesContract(subject);
    ledgerContract(subject);
    ledgerSumsContract(subject);
    keysContract(subject);
    serversContract(subject);
    sessionsContract(subject);
    routesContract(subject);
    idempotencyContract(subject);
    parkedCallsContract(subject);
    webhooksContract(subject);
    evalsContract(subject);
  });
}
