import { randomUUID } from 'node:crypto';
import { closeSync, createReadStream, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Journal, Journals, LeftoverJournal } from '../ports/journal.ts';

const SUFFIX = '.jsonl';
/** A journal is begun anew beyond this. */
const ROTATE_BYTES = 8 * 1024 ** 2;

/** Journals as files in `folder`, which is made when absent. A file's name begins with its process's id. */
export function openJournals(folder: string): Journals {
  return {
    open: () => new FileJournal(folder),
    async leftovers() {
      await mkdir(folder, { recursive: true });
      const names = (await readdir(folder)).filter(
        (name) => name.endsWith(SUFFIX) && !isAlive(Number.parseInt(name, 10)),
      );
      return names.sort().map((name) => leftover(folder, name));
    },
  };
}

interface Appended {
  line: () => string;
  resolve: (number: number) => void;
  reject: (error: unknown) => void;
}

class FileJournal implements Journal {
  id = '';
  private readonly folder: string;
  private file = -1;
  private bytes = 0;
  private lines = 0;
  /** Lines of this turn of the event loop. */
  private appended: Appended[] = [];
  /** Set when half a line stands at its end that could not be taken back: nothing may follow it. */
  private damaged: unknown = null;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.begin();
  }

  append(line: () => string): Promise<number> {
    return new Promise((resolve, reject) => {
      // After everything that has arrived was looked at: what was answered in one turn costs one call of the system.
      if (this.appended.length === 0) setImmediate(() => this.writeAppended());
      this.appended.push({ line, resolve, reject });
    });
  }

  rotate(): void {
    if (this.bytes < ROTATE_BYTES && this.damaged === null) return;
    this.close();
    this.begin();
  }

  close(): void {
    this.writeAppended();
    closeSync(this.file);
    rmSync(join(this.folder, this.id + SUFFIX), { force: true });
  }

  private begin(): void {
    this.id = `${process.pid}-${randomUUID()}`;
    this.file = openSync(join(this.folder, this.id + SUFFIX), 'ax');
    this.bytes = 0;
    this.lines = 0;
    this.damaged = null;
  }

  private writeAppended(): void {
    const { appended } = this;
    if (appended.length === 0) return;
    this.appended = [];
    try {
      this.write(Buffer.from(appended.map(({ line }) => `${line()}\n`).join('')));
    } catch (error) {
      for (const { reject } of appended) reject(error);
      return;
    }
    for (const { resolve } of appended) resolve(++this.lines);
  }

  /** All of the text or nothing. What the system has taken outlives the process. */
  private write(text: Buffer): void {
    if (this.damaged !== null) throw this.damaged;
    try {
      for (let at = 0; at < text.length; ) at += writeSync(this.file, text, at);
      this.bytes += text.length;
    } catch (error) {
      this.takeBack(error);
      throw error;
    }
  }

  private takeBack(error: unknown): void {
    try {
      ftruncateSync(this.file, this.bytes);
    } catch {
      this.damaged = error;
    }
  }
}

function leftover(folder: string, name: string): LeftoverJournal {
  const path = join(folder, name);
  return {
    id: name.slice(0, -SUFFIX.length),
    lines: () => wholeLines(path),
    remove: () => rm(path, { force: true }),
  };
}

/** A last line without its line feed was cut off by the end of its process, before anybody relied on it. */
async function* wholeLines(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** A process may have had this one's id before it. */
function isAlive(pid: number): boolean {
  if (pid === process.pid || !Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
