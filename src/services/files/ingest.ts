import { createHash } from 'node:crypto';
import { ApiError } from '../../core/api-error.ts';
import { IdHash } from '../../core/id-hash.ts';
import { RangeFramer } from '../../core/jsonl.ts';
import type { PlanSummary } from '../../core/plan.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileWriter } from '../../ports/files.ts';
import type { UploadPurpose } from '../../protocol/file.ts';
import { settleSuspects } from './duplicates.ts';
import { PlanBuilder } from './plan-builder.ts';

/** A chunk of blank lines makes sixteen times its size in plan records: larger ones are taken in pieces. */
const pieceBytes = 256 * 1024;

/** What a stream became: objects that no row names yet. */
export interface Ingested {
  contentKey: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
  /** The plan, had the file the purpose `batch`; null when it was not asked for. */
  planned: { planKey: string; plan: PlanSummary } | { refusal: ApiError } | null;
}

export type IngestDeps = Pick<Deps, 'files' | 'random' | 'settings'>;

/**
 * Reads a file once: copies it to the file store, hashes it and, unless `purpose` says that it is no batch input,
 * checks every line and writes its plan. The purpose may still be unknown, as a form may name it after the file.
 * Holds one line and the ids' hashes in memory. Throws ApiError 413 when the file is too large, 400 when it cannot be
 * a batch input and is known to be meant as one; leaves nothing behind then.
 */
export async function ingest(
  deps: IngestDeps,
  fileId: string,
  content: AsyncIterable<Uint8Array>,
  purpose: UploadPurpose | undefined,
): Promise<Ingested> {
  const contentKey = `files/${fileId}`;
  const planKey = `${contentKey}.plan`;
  const writers: FileWriter[] = [];
  try {
    const contentWriter = await deps.files.create(contentKey);
    writers.push(contentWriter);
    if (purpose !== undefined && purpose !== 'batch') {
      return { ...(await copy(deps, content, contentWriter, null)), contentKey, planned: null };
    }
    const planWriter = await deps.files.create(planKey);
    writers.push(planWriter);
    const planner = newPlanner(deps, planWriter, purpose);
    const copied = await copy(deps, content, contentWriter, planner);
    const { refusal } = planner.builder;
    if (refusal !== null) await planWriter.abort();
    if (refusal !== null) return { ...copied, contentKey, planned: { refusal } };
    await settleSuspects(deps.files, { contentKey, planKey }, planner.builder, deps.settings.maxLineErrors);
    return { ...copied, contentKey, planned: { planKey, plan: planner.builder.summary() } };
  } catch (error) {
    await Promise.all(writers.map((writer) => writer.abort()));
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

interface Planner {
  builder: PlanBuilder;
  take(piece: Uint8Array): Promise<void>;
  end(bytes: number): Promise<void>;
}

function newPlanner(deps: IngestDeps, writer: FileWriter, purpose: UploadPurpose | undefined): Planner {
  const builder = new PlanBuilder(deps.settings, new IdHash(deps.random.bytes(8)));
  const framer = new RangeFramer(deps.settings.maxLineBytes, (bytes, from, to, offset, length) =>
    builder.add(bytes, from, to, offset, length),
  );
  const flush = async (all: boolean): Promise<void> => {
    if (builder.refusal !== null && purpose === 'batch') throw builder.refusal;
    for (const block of builder.takeBlocks(all)) await writer.write(block);
  };
  return {
    builder,
    async take(piece) {
      if (builder.refusal !== null) return;
      framer.push(piece);
      await flush(false);
    },
    async end(bytes) {
      framer.end();
      builder.end(bytes);
      await flush(true);
      if (builder.refusal === null) await writer.close();
    },
  };
}

async function copy(
  deps: IngestDeps,
  content: AsyncIterable<Uint8Array>,
  writer: FileWriter,
  planner: Planner | null,
): Promise<{ bytes: number; sha256: string }> {
  const { maxFileBytes } = deps.settings;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > maxFileBytes) throw fileTooLarge(maxFileBytes);
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const piece = chunk.subarray(at, at + pieceBytes);
      hash.update(piece);
      await writer.write(piece);
      await planner?.take(piece);
    }
  }
  await planner?.end(bytes);
  await writer.close();
  return { bytes, sha256: hash.digest('hex') };
}

/** The answer to a file of more than `maxFileBytes`. */
export function fileTooLarge(maxFileBytes: number): ApiError {
  const message = `File is too large. At most ${maxFileBytes} bytes are allowed. Split it into several files.`;
  return new ApiError(413, message, { code: 'file_too_large', param: 'file' });
}
