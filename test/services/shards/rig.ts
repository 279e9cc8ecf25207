/** Weir's services on a real database and real files, with a clock that tests move, and without a server around them. */
import { pino } from 'pino';
import { kinds } from '../../../providers/registry.ts';
import { formatId, ID_BYTES } from '../../../src/core/ids.ts';
import type { Context, Deps } from '../../../src/ports/deps.ts';
import type { StoredLedgerEntry } from '../../../src/ports/store-ledger.ts';
import type { BatchCreate } from '../../../src/protocol/batch.ts';
import { depsOn } from '../../../src/runtime/engine-deps.ts';
import { loadConfig } from '../../../src/runtime/load.ts';
import { createBatch } from '../../../src/services/batches/create.ts';
import { BatchRunner } from '../../../src/services/batches/run.ts';
import { createFile } from '../../../src/services/files/create.ts';
import { ShardRunner } from '../../../src/services/shards/run.ts';
import { tick } from '../../../src/services/tick.ts';
import { openStore } from '../../../src/store/open-node.ts';
import { type LentDatabase, lendDatabase } from '../../contract/lent-database.ts';

export interface Rig {
  deps: Deps;
  /** Moves the clock of `deps` on. */
  advance(seconds: number): void;
  /** Ends it as a process ends: the next rig on the same folder finds the database as it is. */
  leave(): Promise<void>;
  /** Ends it. With the last rig on its folder the database goes. */
  close(): Promise<void>;
}

/** The databases of rigs by their folder, and how many rigs work with each. */
const databases = new Map<string, { database: LentDatabase; rigs: number }>();

/** Opens what a server would work with, on a data folder. Waits pass at once: the clock is moved on in their place. */
export async function openRig(folder: string, config: object): Promise<Rig> {
  const loaded = await loadConfig({
    environment: { WEIR_DATA_DIR: folder },
    kinds,
    readText: () => Promise.resolve(JSON.stringify(config)),
  });
  const owned = databases.get(folder) ?? { database: await lendDatabase(), rigs: 0 };
  databases.set(folder, owned);
  const { database } = owned;
  // Beside another one, with connections of its own, as a further process has.
  const store = await (owned.rigs === 0 ? database.openStore() : openStore({ url: database.url }));
  owned.rigs += 1;
  const real = await depsOn(loaded, { store, log: pino({ level: 'silent' }) });
  let ahead = 0;
  const now = () => real.clock.now() + ahead * 1000;
  const micros = () => real.clock.micros() + ahead * 1e6;
  const sleep = (ms: number) => {
    ahead += ms / 1000;
    return Promise.resolve();
  };
  const leave = async (): Promise<void> => {
    await real.store.close();
    await real.http.close();
    owned.rigs -= 1;
  };
  return {
    deps: { ...real, clock: { ...real.clock, now, micros, sleep } },
    advance: (seconds) => {
      ahead += seconds;
    },
    leave,
    async close() {
      await leave();
      if (owned.rigs > 0) return;
      databases.delete(folder);
      database.giveBack();
    },
  };
}

/** An administrator's call. */
export function contextOf(deps: Deps): Context {
  return {
    actor: { tenantId: 'default', keyId: null, role: 'admin' },
    newId: (prefix) => formatId(prefix, deps.random.bytes(ID_BYTES)),
    signal: new AbortController().signal,
  };
}

/** Stores `lines` as a file and makes a batch of it; answers the batch's id. */
export async function beginBatch(deps: Deps, lines: string, options: Partial<BatchCreate> = {}): Promise<string> {
  const file = await createFile(deps, contextOf(deps), {
    content: (async function* () {
      yield Buffer.from(lines);
    })(),
    purpose: 'batch',
    details: () => Promise.resolve({ filename: 'a.jsonl', purpose: 'batch', expiresAfterSeconds: null }),
  });
  const batch = await createBatch(deps, contextOf(deps), {
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    ...options,
  });
  return batch.id;
}

/** Works in rounds, each to its end, until `isDone` after one of them; false when it never was in so many rounds. */
export async function workUntil(
  deps: Deps,
  isDone: () => Promise<boolean> | boolean,
  options: { rounds?: number; between?: () => void; runner?: Pick<ShardRunner, 'wake' | 'idle'> } = {},
): Promise<boolean> {
  const runner = options.runner ?? new ShardRunner(deps);
  const batches = new BatchRunner(deps);
  for (let round = 0; round < (options.rounds ?? 60); round++) {
    await tick(deps, batches).catch(() => undefined);
    await batches.idle();
    await runner.wake().catch(() => undefined);
    await runner.idle();
    if (await isDone()) return true;
    options.between?.();
  }
  return false;
}

/** True when a batch is completed and its shards have left nothing to remove. */
export async function isSettled(deps: Deps, id: string): Promise<boolean> {
  const batch = await deps.store.batches.get('all', id);
  const shards = await deps.store.shards.list(id);
  return batch?.status === 'completed' && shards.every((shard) => shard.cleanedAt !== null);
}

/** The ledger entries of a batch. */
export async function entriesOf(deps: Deps, batchId: string): Promise<StoredLedgerEntry[]> {
  return (await deps.store.ledger.entries({ tenantId: null, batchId }, { limit: 1000 })) ?? [];
}
