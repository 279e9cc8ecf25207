import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { ApiError } from '../../core/api-error.ts';
import type { PlanSummary } from '../../core/plan.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileWriter } from '../../ports/files.ts';
import type { UploadPurpose } from '../../protocol/file.ts';
import { settleDuplicates } from './duplicates.ts';
import { IdLog } from './id-log.ts';
import { InputFeed } from './input-feed.ts';
import { inlineChecks } from './line-check.ts';

/** Of the word in the names of a run's objects. */
const RUN_BYTES = 6;

/** What a stream became: objects that no row names yet. */
export interface Ingested {
  contentKey: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
  /** The plan, had the file the purpose `batch`; null when it was not asked for. */
  planned: { planKey: string; plan: PlanSummary } | { refusal: ApiError } | null;
}

export type IngestDeps = Pick<Deps, 'files' | 'random' | 'settings' | 'inputChecks'>;

/**
 * Reads a file once: copies it to the file store, hashes it and, unless `purpose` says that it is no batch input, checks
 * every line and writes its plan. The purpose may still be unknown, as a form may name it after the file. Holds one line, some blocks and a bounded part of the ids' hashes in memory. Throws
 * ApiError 413 when the file is too large, 400 when it cannot be a batch input and is known to be meant as one; leaves
 * nothing behind then.
 */
export async function ingest(
  deps: IngestDeps,
  fileId: string,
  content: AsyncIterable<Uint8Array>,
  purpose: UploadPurpose | undefined,
): Promise<Ingested> {
  // Of two runs of a repeated call, as where a lease was lost, one may fail: what it removes is its own.
  const run = Buffer.from(deps.random.bytes(RUN_BYTES)).toString('hex');
  const contentKey = `files/${fileId}.${run}`;
  const planKey = `${contentKey}.plan`;
  const contentWriter = await deps.files.create(contentKey);
  try {
    if (purpose !== undefined && purpose !== 'batch') {
      return { ...(await copy(deps, content, contentWriter)), contentKey, planned: null };
    }
    return await plan(deps, { content, meant: purpose === 'batch' }, { contentKey, planKey, contentWriter });
  } catch (error) {
    await contentWriter.abort();
    await deps.files.delete(contentKey);
    await deps.files.delete(planKey);
    throw error;
  }
}

/** Removes what `ingest` wrote. */
export async function discard(deps: Pick<Deps, 'files'>, ingested: Ingested): Promise<void> {
  await deps.files.delete(ingested.contentKey);
  await discardPlan(deps, ingested);
}

/** Removes the plan that `ingest` wrote: the file turned out to be no batch input. */
export async function discardPlan(deps: Pick<Deps, 'files'>, ingested: Ingested): Promise<void> {
  if (ingested.planned !== null && 'planKey' in ingested.planned) await deps.files.delete(ingested.planned.planKey);
}

interface PlanTo {
  contentKey: string;
  planKey: string;
  contentWriter: FileWriter;
}

/** `meant`: the file is known to be a batch input, so that it is an error when it is none. */
async function plan(
  deps: IngestDeps,
  source: { content: AsyncIterable<Uint8Array>; meant: boolean },
  to: PlanTo,
): Promise<Ingested> {
  const { contentKey, planKey, contentWriter } = to;
  const { files, settings } = deps;
  const idKey = deps.random.bytes(8);
  const ids = new IdLog(files, `${contentKey}.ids`);
  const planWriter = await files.create(planKey);
  const feed = new InputFeed(
    (large) => (large ? (deps.inputChecks ?? inlineChecks) : inlineChecks).open({ settings, idKey }),
    { content: contentWriter, plan: planWriter, ids },
  );
  try {
    let bytes = 0;
    for await (const chunk of bounded(source.content, settings.maxFileBytes)) {
      bytes += chunk.length;
      await feed.push(chunk);
      if (feed.refusal !== null && source.meant) throw feed.refusal;
    }
    const { refusal, sha256, summary } = await feed.end();
    if (refusal !== null && source.meant) throw refusal;
    await contentWriter.close();
    if (refusal !== null) {
      await planWriter.abort();
      return { contentKey, bytes, sha256, planned: { refusal } };
    }
    await planWriter.close();
    await ids.end();
    const settled = await settleDuplicates(files, to, { plan: summary, ids }, settings.maxLineErrors);
    return { contentKey, bytes, sha256, planned: { planKey, plan: settled } };
  } catch (error) {
    await planWriter.abort();
    throw error;
  } finally {
    await feed.close();
    await ids.discard();
  }
}

async function copy(
  deps: IngestDeps,
  content: AsyncIterable<Uint8Array>,
  writer: FileWriter,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of bounded(content, deps.settings.maxFileBytes)) {
    bytes += chunk.length;
    hash.update(chunk);
    await writer.write(chunk);
  }
  await writer.close();
  return { bytes, sha256: hash.digest('hex') };
}

/** Passes `content` on; throws ApiError 413 when it is more than `most` bytes. */
async function* bounded(content: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > most) throw fileTooLarge(most);
    yield chunk;
  }
}

/** The answer to a file of more than `maxFileBytes`. */
export function fileTooLarge(maxFileBytes: number): ApiError {
  const message = `File is too large. At most ${maxFileBytes} bytes are allowed. Split it into several files.`;
  return new ApiError(413, message, { code: 'file_too_large', param: 'file' });
}
