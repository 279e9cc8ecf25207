import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { drawSample, type SampleSize } from '../../../core/eval/draw-sample.ts';
import type { Fields } from '../../../core/fields.ts';
import { trouble, wrongUse } from '../exit.ts';
import { sizeOfInput } from '../input-file.ts';
import { ItemShape, idOf } from './item-shape.ts';
import { readJsonLines } from './json-lines.ts';

/** A file of rows for a run, made of what the user has. */
export interface PreparedItems {
  path: string;
  bytes: number;
  /** Items of the user's file, and those that were taken. */
  items: number;
  taken: number;
  shape: ItemShape;
  /** Removes the file. */
  remove(): Promise<void>;
}

const WRITE_BYTES = 256 * 1024;

/**
 * Writes the items of a JSONL or batch file as rows into a temporary file: all, or a seeded sample of them; `answers` is a
 * JSONL file with more fields for the items, by custom_id. Throws CliError that names the line.
 */
export async function prepareItems(
  path: string,
  options: { answers?: string | undefined; sample?: SampleSize | undefined; seed: number },
): Promise<PreparedItems> {
  await sizeOfInput(path, 'It needs one JSON object per line.');
  const answers = options.answers === undefined ? null : await readAnswers(options.answers);
  const chosen = options.sample === undefined ? null : await choose(path, options.sample, options.seed);
  const folder = await mkdtemp(join(tmpdir(), 'weir-eval-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const target = join(folder, basename(path));
  const shape = new ItemShape(path);
  try {
    const counts = await writeRows(path, target, shape, { answers, chosen });
    if (counts.taken === 0) throw wrongUse(`${path} holds no items: one JSON object per line.`, 'file');
    return { path: target, ...counts, shape, remove };
  } catch (error) {
    await remove();
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? trouble(`${folder} has no room left.`) : error;
  }
}

/** Places of the items that are in the sample. */
async function choose(path: string, size: SampleSize, seed: number): Promise<ReadonlySet<number>> {
  let total = 0;
  for await (const _line of readJsonLines(path)) total += 1;
  return new Set(drawSample(total, size, seed));
}

async function readAnswers(path: string): Promise<ReadonlyMap<string, Fields>> {
  await sizeOfInput(path, 'It needs one JSON object per line.');
  const answers = new Map<string, Fields>();
  for await (const { number, value } of readJsonLines(path, 'answers')) {
    const id = idOf(value);
    if (id === '') throw wrongUse(`Line ${number} of ${path} has no custom_id.`, 'answers');
    if (answers.has(id)) throw wrongUse(`Line ${number} of ${path} answers ${id} a second time.`, 'answers');
    const { custom_id: _customId, id: _id, ...fields } = value;
    answers.set(id, fields);
  }
  return answers;
}

interface Choice {
  answers: ReadonlyMap<string, Fields> | null;
  chosen: ReadonlySet<number> | null;
}

async function writeRows(path: string, target: string, shape: ItemShape, { answers, chosen }: Choice) {
  const file = await open(target, 'w');
  const counts = { bytes: 0, items: 0, taken: 0 };
  let text = '';
  const flush = async (): Promise<void> => {
    counts.bytes += (await file.write(text)).bytesWritten;
    text = '';
  };
  try {
    for await (const line of readJsonLines(path)) {
      const place = counts.items;
      counts.items += 1;
      if (chosen !== null && !chosen.has(place)) continue;
      const row = shape.rowOf(line, (id) => {
        const more = answers?.get(id);
        if (answers !== null && more === undefined) {
          throw wrongUse(`Line ${line.number} of ${path} (${id || 'without custom_id'}) has no answer.`, 'answers');
        }
        return more ?? {};
      });
      text += `${JSON.stringify(row)}\n`;
      counts.taken += 1;
      if (text.length >= WRITE_BYTES) await flush();
    }
    await flush();
  } finally {
    await file.close();
  }
  return counts;
}
