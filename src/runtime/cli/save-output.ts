import { constants } from 'node:fs';
import { access, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Api } from './api.ts';
import { trouble, wrongUse } from './exit.ts';

/** Refuses a path that cannot be written, before the work that would end there. Throws CliError. */
export async function checkWritable(path: string, option: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) throw wrongUse(`--${option} ${path} is a folder; name a file.`, option);
  if (found?.isFile() === false) return;
  await access(dirname(await behindLinks(path)), constants.W_OK).catch(() => {
    throw wrongUse(`--${option} ${path} cannot be written: its folder is missing or read-only.`, option);
  });
}

export interface Saved {
  bytes: number;
  lines: number;
  /** The batch was still running. */
  incomplete: boolean;
}

/** Writes a batch's output lines to a file, which appears only when it is whole. Throws CliError. */
export async function saveOutput(api: Api, id: string, path: string, options: OutputOptions = {}): Promise<Saved> {
  const { chunks, incomplete } = await openOutput(api, id, options);
  return { ...(await saveChunks(chunks, path)), incomplete };
}

/**
 * Writes JSONL to a file, which appears only when it is whole; what is no file, such as a pipe with a name, is written as it
 * comes. Throws CliError when it cannot be written.
 */
export async function saveChunks(chunks: AsyncIterable<Uint8Array>, path: string): Promise<Omit<Saved, 'incomplete'>> {
  try {
    const isReplaceable = (await stat(path).catch(() => null))?.isFile() ?? true;
    if (!isReplaceable) return await writeAll(chunks, path);
    const place = await behindLinks(path);
    // Of this process alone: another one may be writing the same output.
    const partial = `${place}.${process.pid}.partial`;
    try {
      const saved = await writeAll(chunks, partial, { sync: true });
      await rename(partial, place);
      return saved;
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw DISK_CODES.has(code ?? '') ? trouble(`${path} cannot be written (${code}).`) : error;
  }
}

/** What a disk, a pipe or their owner answers to a write; what a network answers is not among it. */
const DISK_CODES: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
  'EROFS',
  'EACCES',
  'EPERM',
  'EIO',
  'EBUSY',
]);

async function writeAll(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  { sync = false } = {},
): Promise<Omit<Saved, 'incomplete'>> {
  const saved = { bytes: 0, lines: 0 };
  const file = await open(path, 'w');
  try {
    for await (const chunk of chunks) {
      // A single write() of a disk that fills up takes a part and reports no error.
      await file.writeFile(chunk);
      saved.bytes += chunk.byteLength;
      saved.lines += countLineFeeds(chunk);
    }
    if (sync) await file.sync();
  } finally {
    await file.close();
  }
  return saved;
}

/** Where a path leads: a link stays, and what it leads to is replaced. */
function behindLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

export interface OutputOptions {
  follow?: boolean;
  signal?: AbortSignal;
}

/** The output lines of a batch as the server sends them. */
export async function openOutput(
  api: Api,
  id: string,
  { follow = false, signal }: OutputOptions = {},
): Promise<{ chunks: AsyncIterable<Uint8Array>; incomplete: boolean }> {
  const path = `/v1/batches/${encodeURIComponent(id)}/output${follow ? '?follow=true' : ''}`;
  const { headers, chunks } = await api.stream(path, signal);
  return { chunks, incomplete: headers.get('x-weir-incomplete') === 'true' };
}

function countLineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count += 1;
  return count;
}
