import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';

/** The process before may be about to end. */
const WAIT_MS = 2_000;
const LOOK_MS = 100;
const SQLITE_BUSY = 5;

/** Another process works on this database. */
export class DatabaseTaken extends Error {
  override readonly name = 'DatabaseTaken';
}

interface Held {
  lock: Promise<DatabaseSync>;
  holders: number;
}

/** Of this process, by the path of the database: also while it is being taken. */
const held = new Map<string, Held>();

/**
 * Keeps other processes from working on the embedded database at `path`, until the answered function is called or this
 * process ends, however it ends: a start takes the leases of all others for those of the dead. Throws DatabaseTaken where
 * another process has it for longer than a stop takes to end, and the system's error where nothing can be written there: its folder is the caller's to make.
 */
export async function lockDatabase(database: string): Promise<() => void> {
  const path = resolve(database);
  const known = held.get(path) ?? { lock: take(path), holders: 0 };
  held.set(path, known);
  known.holders += 1;
  let isHeld = true;
  const release = (): void => {
    // A server may be stopped twice.
    if (!isHeld) return;
    isHeld = false;
    known.holders -= 1;
    if (known.holders > 0) return;
    held.delete(path);
    known.lock.then(
      (lock) => lock.close(),
      () => undefined,
    );
  };
  try {
    await known.lock;
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

async function take(path: string): Promise<DatabaseSync> {
  const file = `${path}.lock`;
  await (await open(file, 'a')).close();
  for (const until = performance.now() + WAIT_MS; ; await pause(LOOK_MS)) {
    const lock = new DatabaseSync(file, { timeout: 0 });
    try {
      lock.exec('begin exclusive');
      return lock;
    } catch (error) {
      lock.close();
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
      if (performance.now() >= until) throw new DatabaseTaken(path);
    }
  }
}
