/** Carries the steps of a plan out on the world; each trouble ends by itself, and all of them by `calm`. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@libsql/client';
import type { SimulatedServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import type { SettingsChanges } from '../../providers/sandbox/servers/settings.ts';
import { startDatabaseServer } from '../../src/runtime/worker/dev/sqld.ts';
import type { Action, PoolTrouble } from './actions.ts';
import type { Batches } from './batches.ts';
import type { Calls } from './calls.ts';
import { damageResults } from './damage-results.ts';
import type { Evals } from './evals.ts';
import type { KeptAnswers } from './kept-answers.ts';
import type { KeyedCalls } from './keyed-calls.ts';
import type { ParkedCalls } from './parked-calls.ts';
import { troubleService } from './service-troubles.ts';
import type { World } from './world.ts';

const POOL_TROUBLES: Record<PoolTrouble, SettingsChanges> = {
  errors: { rate_500: 0.3, rate_503: 0.2 },
  throttle: { rate_429: 0.6, retry_after: 'seconds', retry_after_seconds: 1 },
  cut: { rate_reset: 0.2, rate_reset_mid_body: 0.2 },
  hang: { rate_hang: 0.2 },
  slow: { latency_ms: 800 },
  'few slots': { slots: 1 },
  nonsense: { rate_bad_json: 0.4 },
};
const HEALTHY: SettingsChanges = {
  rate_500: 0,
  rate_503: 0,
  rate_429: 0,
  rate_reset: 0,
  rate_reset_mid_body: 0,
  rate_hang: 0,
  rate_bad_json: 0,
  slots: null,
};
/** To a process that may have ended by itself. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Jumps that are too small to end leases by themselves may add up to one that does. */
const LEASES_END_MS = 40_000;
/** After its submission: before most of its provider batches have ended. */
const RESCUE_MS = 700;
const RESCUE_JUMP_MS = 61_000;
const BALLAST_BYTES = 64 * 1024 ** 2;
/** Longer than any trouble lasts that keeps the database server from starting. */
const DATABASE_TRIES = 40;
const DATABASE_PAUSE_MS = 250;

/** All that use the servers. */
export interface Clients {
  batches: Batches;
  calls: Calls;
  keyed: KeyedCalls;
  parked: ParkedCalls;
  kept: KeptAnswers;
  evals: Evals;
}

export class Troubles {
  /** Ends of a lease without a word: after each, what was under way may be sent again. */
  interruptions = 0;
  private readonly world: World;
  private readonly batches: Batches;
  private readonly clients: Clients;
  /** What is wrong now and how it is made right; one trouble of a kind and place at a time. */
  private readonly active = new Map<string, () => Promise<unknown>>();
  private readonly ending = new Set<Promise<unknown>>();

  constructor(world: World, clients: Clients) {
    this.world = world;
    this.batches = clients.batches;
    this.clients = clients;
  }

  async begin(action: Action): Promise<void> {
    switch (action.do) {
      case 'submit':
        return this.submit(action);
      case 'call':
        return this.clients.calls.send(action);
      case 'keyed call':
        return this.clients.keyed.send(action);
      case 'parked call':
        return this.clients.parked.send(action);
      case 'kept call':
        await this.clients.kept.send(action);
        return;
      case 'eval':
        return this.clients.evals.begin(action);
      case 'cancel eval':
        return this.clients.evals.cancel(action.pick);
      case 'see batches of evals':
        return this.batches.adopt({ ofEvals: true });
      case 'command':
        return this.batches.command(action.command, action.pick);
      case 'kill':
      case 'terminate':
        return this.restart(action);
      case 'freeze':
        return this.freeze(action);
      case 'clock':
        return this.jumpClock(action.server, action.jumpMs);
      case 'slow disk':
        return this.slowDisk(action);
      case 'full disk':
        return this.during('disk', action.forMs, () => this.fillDisk());
      case 'failing reads':
        return this.during(`reads of ${action.server}`, action.forMs, async () => {
          this.world.servers[action.server]?.tell({ readsFail: true });
          return async () => this.world.servers[action.server]?.tell({ readsFail: false });
        });
      case 'failing syncs':
        return this.world.servers[action.server]?.failSyncs(action.count);
      case 'damage results':
        return damageResults(this.world.dataFolder, this.batches, action);
      case 'lock database':
        this.interruptions += 1;
        return this.during('database', action.forMs, () => this.lockDatabase());
      case 'freeze database':
      case 'restart database':
        this.interruptions += 1;
        return this.during('database', action.forMs, () => this.stopDatabase(action.do === 'freeze database'));
      case 'pool trouble':
        return this.during(`pool ${action.pool}`, action.forMs, () => this.troublePool(action.pool, action.trouble));
      case 'pool crash':
        return this.during(`pool ${action.pool} down`, action.forMs, () => this.crashPool(action.pool));
      case 'service trouble':
        return this.during(`service ${action.service}`, action.forMs, () =>
          troubleService(this.world.services.servers, action.service, action.trouble),
        );
    }
  }

  /** Ends every trouble and starts every server. Clocks stay as they are: nobody sets them right. */
  async calm(): Promise<void> {
    for (const end of this.active.values()) void this.ended(end);
    this.active.clear();
    while (this.ending.size > 0) await Promise.all(this.ending);
    await this.restoreDatabase();
    for (const server of this.world.servers) {
      server.thaw();
      server.tell({ diskMs: 0, diskFull: false, readsFail: false });
      server.failSyncs(0);
      await server.start();
    }
  }

  private async during(place: string, forMs: number, begin: () => Promise<() => Promise<unknown>>): Promise<void> {
    if (this.active.has(place)) return;
    this.active.set(place, async () => undefined);
    const begun = begin();
    // Whoever ends it early waits for its beginning.
    this.active.set(place, async () => (await begun)());
    await begun;
    setTimeout(() => {
      const end = this.active.get(place);
      this.active.delete(place);
      if (end) void this.ended(end);
    }, forMs).unref();
  }

  private ended(end: () => Promise<unknown>): Promise<unknown> {
    const over = end().finally(() => this.ending.delete(over));
    this.ending.add(over);
    return over;
  }

  private async submit(action: Extract<Action, { do: 'submit' }>): Promise<void> {
    await this.batches.submit(action);
    if (action.route !== 'rescued') return;
    // No run has the time that a rescue waits at least.
    await pause(RESCUE_MS);
    for (const server of this.world.servers.keys()) this.jumpClock(server, RESCUE_JUMP_MS);
  }

  private jumpClock(server: number, jumpMs: number): void {
    // Leases are read by the database's clock: an embedded one's is this one, and followed at once when it goes far.
    if (this.world.database === null && Math.abs(jumpMs) >= LEASES_END_MS) this.interruptions += 1;
    this.world.servers[server]?.clockJumps(jumpMs);
  }

  private async restart(action: Extract<Action, { do: 'kill' | 'terminate' }>): Promise<void> {
    this.interruptions += 1;
    const server = this.world.servers[action.server];
    await this.during(`server ${action.server}`, action.downMs, async () => {
      await server?.[action.do]();
      return async () => server?.start();
    });
  }

  private freeze({ server: index, forMs }: Extract<Action, { do: 'freeze' }>): Promise<void> {
    this.interruptions += 1;
    const server = this.world.servers[index];
    return this.during(`server ${index}`, forMs, async () => {
      server?.freeze();
      return async () => server?.thaw();
    });
  }

  private slowDisk({ server: index, delayMs, forMs }: Extract<Action, { do: 'slow disk' }>): Promise<void> {
    const server = this.world.servers[index];
    return this.during(`disk of ${index}`, forMs, async () => {
      server?.tell({ diskMs: delayMs });
      return async () => server?.tell({ diskMs: 0 });
    });
  }

  /** The real thing where the data has a file system of its own; else every write of files fails. */
  private async fillDisk(): Promise<() => Promise<unknown>> {
    if (!this.world.hasOwnDisk) {
      const tellAll = (diskFull: boolean): void => {
        for (const server of this.world.servers) server.tell({ diskFull });
      };
      tellAll(true);
      return async () => tellAll(false);
    }
    const ballast = join(this.world.dataFolder, 'ballast');
    await writeFile(ballast, Buffer.alloc(BALLAST_BYTES)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') throw error;
    });
    return () => rm(ballast, { force: true });
  }

  /** Another program, a backup say, holds the write lock. */
  private async lockDatabase(): Promise<() => Promise<unknown>> {
    if (this.world.databaseFile === null) return async () => undefined;
    const client = createClient({ url: `file:${this.world.databaseFile}`, timeout: 100 });
    const transaction = await client.transaction('write').catch(() => null);
    return async () => {
      await transaction?.rollback();
      client.close();
    };
  }

  private async stopDatabase(frozen: boolean): Promise<() => Promise<unknown>> {
    const { database } = this.world;
    if (database === null) return async () => undefined;
    signal(database.pid, frozen ? 'SIGSTOP' : 'SIGKILL');
    return async () => {
      if (frozen) signal(database.pid, 'SIGCONT');
      await this.restoreDatabase();
    };
  }

  /** Starts the database server again if it is gone: one whose disk is full ends by itself, and does not start. */
  private async restoreDatabase(): Promise<void> {
    const { database, databaseFolder } = this.world;
    if (database === null || database.isRunning()) return;
    for (let tries = 1; ; tries++) {
      try {
        this.world.database = await startDatabaseServer(databaseFolder, database.port);
        return;
      } catch (error) {
        if (tries === DATABASE_TRIES) throw error;
        await pause(DATABASE_PAUSE_MS);
      }
    }
  }

  private async troublePool(index: number, trouble: PoolTrouble): Promise<() => Promise<unknown>> {
    const pool = this.world.pools[index] as SimulatedServer;
    pool.configure(POOL_TROUBLES[trouble]);
    return async () => pool.configure({ ...HEALTHY, latency_ms: this.world.plan.poolLatencyMs });
  }

  private async crashPool(index: number): Promise<() => Promise<unknown>> {
    const pool = this.world.pools[index] as SimulatedServer;
    await pool.crash();
    return () => pool.restart();
  }
}
