import { constants } from 'node:fs';
import { access, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Api } from './api.ts';
import { CliError, EXIT, trouble, wrongUse } from './exit.ts';
import { interruptOf, type Terminal } from './terminal.ts';

/** Refuses a path that cannot be written, before the work that would end there. Throws CliError. */
export async function checkWritable(path: string, option: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) throw wrongUse(`--${option} ${path} is a folder; name a file.`, option);
  await access(dirname(path), constants.W_OK).catch(() => {
    throw wrongUse(`--${option} ${path} cannot be written: its folder is missing or read-only.`, option);
  });
}

export interface Saved {
  bytes: number;
  lines: number;
  /** The batch was still running. */
  incomplete: boolean;
}

/** Writes a batch's output lines to a file, which appears only when it is whole, Ctrl-C or not. Throws CliError. */
export async function saveOutput(
  terminal: Terminal,
  api: Api,
  id: string,
  path: string,
  follow = false,
): Promise<Saved> {
  let incomplete = false;
  const saved = await saveAnswer(terminal, path, async (signal) => {
    const output = await openOutput(api, id, { follow, signal });
    incomplete = output.incomplete;
    return output.chunks;
  });
  return { ...saved, incomplete };
}

/** Writes what a server answers to a file, which appears only when it is whole, Ctrl-C or not. Throws CliError. */
export async function saveAnswer(
  terminal: Terminal,
  path: string,
  ask: (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>,
): Promise<Omit<Saved, 'incomplete'>> {
  const interrupt = interruptOf(terminal);
  try {
    return await saveChunks(await ask(interrupt.signal), path);
  } catch (error) {
    if (interrupt.signal.aborted) throw new CliError(EXIT.interrupted, `Stopped; ${path} was not written.`);
    if (error instanceof CliError || !(error instanceof Error)) throw error;
    throw trouble(`The answer broke off (${error.message}); ${path} was not written. Ask again.`);
  } finally {
    interrupt.end();
  }
}

/** Writes JSONL to a file, which appears only when it is whole. Throws CliError when the file cannot be written. */
export async function saveChunks(chunks: AsyncIterable<Uint8Array>, path: string): Promise<Omit<Saved, 'incomplete'>> {
  const partial = `${path}.partial`;
  const saved = { bytes: 0, lines: 0 };
  try {
    const file = await open(partial, 'w');
    try {
      for await (const chunk of chunks) {
        await file.write(chunk);
        saved.bytes += chunk.byteLength;
        saved.lines += countLineFeeds(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    const isDisk = code === 'ENOSPC' || code === 'EACCES' || code === 'EIO';
    throw isDisk ? trouble(`${path} cannot be written (${code}).`) : error;
  }
  return saved;
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
  const response = await api.stream(
    `/v1/batches/${encodeURIComponent(id)}/output${follow ? '?follow=true' : ''}`,
    signal,
  );
  if (response.body === null) throw trouble('The server sent no output.');
  return { chunks: response.body, incomplete: response.headers.get('x-weir-incomplete') === 'true' };
}

function countLineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count += 1;
  return count;
}
