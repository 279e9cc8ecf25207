import { randomUUID } from 'node:crypto';
import { closeSync, createReadStream, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Journal, Journals, LeftoverJournal } from '../ports/journal.ts';
import { isErrno } from './fs-writer.ts';
import { makeFolder } from './make-folder.ts';

const SUFFIX = '.jsonl';
/** A journal is begun anew beyond this. */
const ROTATE_BYTES = 8 * 1024 ** 2;
/**
 * A file has this much more than its lines, written as zeros: there lines find room when the disk is full. Entries of a
 * thousand calls in flight fit.
 */
const RESERVE_BYTES = 2 * 1024 ** 2;
const ZEROS = Buffer.alloc(64 * 1024);
/** Bytes in which the lines of a turn are put together. More are given up after their turn. */
const TEXT_BYTES = 64 * 1024;
/** What one character takes at most, in UTF-8. */
const CHARACTER_BYTES = 3;

/** Journals as files in `folder`, which is made when absent. A file's name begins with its process's id. */
export function openJournals(folder: string): Journals {
  return {
    open: () => new FileJournal(folder),
    async leftovers() {
      await makeFolder(folder);
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
  isCramped = false;
  private readonly folder: string;
  private file = -1;
  private bytes = 0;
  /** Of the file, reserve included. */
  private allocated = 0;
  private lines = 0;
  /** Lines of this turn of the event loop. */
  private appended: Appended[] = [];
  private text = Buffer.allocUnsafeSlow(TEXT_BYTES);
  /** Set when half a line stands at its end that could not be taken back: nothing may follow it. */
  private damaged: unknown = null;

  constructor(folder: string) {
    this.folder = folder;
    makeAgain(folder);
    this.begin();
    this.reserve();
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
    this.writeAppended();
    const { file, id } = this;
    try {
      this.begin();
    } catch {
      // As good as the next one would be, until there is room for that.
      return;
    }
    this.remove(file, id);
    this.reserve();
  }

  close(): void {
    this.writeAppended();
    this.remove(this.file, this.id);
  }

  private remove(file: number, id: string): void {
    closeSync(file);
    rmSync(join(this.folder, id + SUFFIX), { force: true });
  }

  private begin(): void {
    const id = `${process.pid}-${randomUUID()}`;
    this.file = openSync(join(this.folder, id + SUFFIX), 'wx');
    this.id = id;
    this.bytes = 0;
    this.allocated = 0;
    this.lines = 0;
    this.damaged = null;
  }

  /** Fills the reserve up, once half of it is used. */
  private reserve(): void {
    if (this.allocated - this.bytes > RESERVE_BYTES / 2) return;
    const enough = this.bytes + RESERVE_BYTES;
    try {
      while (this.allocated < enough) {
        const length = Math.min(ZEROS.length, enough - this.allocated);
        this.allocated += writeSync(this.file, ZEROS, 0, length, this.allocated);
      }
      this.isCramped = false;
    } catch {
      this.isCramped = true;
    }
  }

  private writeAppended(): void {
    const { appended } = this;
    if (appended.length === 0) return;
    this.appended = [];
    try {
      let bytes = 0;
      for (const { line } of appended) bytes += this.put(`${line()}\n`, bytes);
      this.write(this.text.subarray(0, bytes));
    } catch (error) {
      for (const { reject } of appended) reject(error);
      return;
    } finally {
      if (this.text.length > TEXT_BYTES) this.text = Buffer.allocUnsafeSlow(TEXT_BYTES);
    }
    for (const { resolve } of appended) resolve(++this.lines);
  }

  /** Writes a line behind those that stand before `at`; how many bytes it has. */
  private put(line: string, at: number): number {
    const enough = at + CHARACTER_BYTES * line.length;
    if (enough > this.text.length) {
      const larger = Buffer.allocUnsafeSlow(2 * enough);
      this.text.copy(larger, 0, 0, at);
      this.text = larger;
    }
    return this.text.write(line, at);
  }

  /** All of the text or nothing. What the system has taken outlives the process. */
  private write(text: Buffer): void {
    if (this.damaged !== null) throw this.damaged;
    try {
      for (let at = 0; at < text.length; ) at += writeSync(this.file, text, at, text.length - at, this.bytes + at);
      this.bytes += text.length;
      this.allocated = Math.max(this.allocated, this.bytes);
      this.reserve();
    } catch (error) {
      this.takeBack(error);
      throw error;
    }
  }

  private takeBack(error: unknown): void {
    try {
      ftruncateSync(this.file, this.bytes);
      this.allocated = this.bytes;
      this.isCramped = true;
    } catch {
      this.damaged = error;
    }
  }
}

/** A start makes it with those above it; somebody may have tidied it away since. */
function makeAgain(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
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

/** A last line without its line feed was cut off by the end of its process, before anybody relied on it; or it is reserve. */
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
