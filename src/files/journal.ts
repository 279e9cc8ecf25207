import { randomUUID } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
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

class FileJournal implements Journal {
  id = '';
  private readonly folder: string;
  private file = -1;
  private bytes = 0;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.begin();
  }

  append(line: string): void {
    const text = Buffer.from(`${line}\n`);
    // What the system has taken outlives the process.
    const written = writeSync(this.file, text);
    this.bytes += written;
    if (written < text.length) throw new Error('the journal took a part of a line only: is the disk full?');
  }

  rotate(): void {
    if (this.bytes < ROTATE_BYTES) return;
    this.close();
    this.begin();
  }

  close(): void {
    closeSync(this.file);
    rmSync(join(this.folder, this.id + SUFFIX), { force: true });
  }

  private begin(): void {
    this.id = `${process.pid}-${randomUUID()}`;
    this.file = openSync(join(this.folder, this.id + SUFFIX), 'ax');
    this.bytes = 0;
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
