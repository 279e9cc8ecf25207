import { ApiError } from '../../../core/api-error.ts';
import type { Fields } from '../../../core/fields.ts';
import type { EvalTargetRow } from '../../../ports/store-evals.ts';
import type { Endpoint } from '../../../protocol/endpoint.ts';
import { createBatch } from '../../batches/create.ts';
import { isRefusedForGood } from '../../budgets/insufficient.ts';
import { createFile } from '../../files/create.ts';
import { next, type Part, partContext, partId, type TargetWork, take } from './turn.ts';

/** A request as a line of a batch. */
export interface AskedLine {
  id: string;
  body: object;
}

/** Where and when a part's requests run: by the routes of their models, in the target's window, unless it says. */
interface BatchPlace {
  endpoint: Endpoint;
  config?: string | Fields | undefined;
  window?: string;
}

/** Names of the tags that tell in the ledger what an eval paid for. */
export const TAGS = { eval: 'eval_id', run: 'eval_run_id', target: 'eval_target', part: 'eval_part' } as const;

/**
 * Makes the batch of a part from its lines: a file, then the batch on it, with ids that follow from the run's. Both answer
 * what is there already, so that repeated after a crash they make nothing twice. Null when there are no lines, and when
 * the target failed over it.
 */
export async function makeBatch(
  work: TargetWork,
  part: Part,
  { endpoint, config, window }: BatchPlace,
  lines: () => AsyncGenerator<AskedLine>,
): Promise<string | null> {
  const { deps, run, target } = work;
  const id = partId(run.id, target.target, part, 'batch_');
  if ((await deps.store.batches.get('all', id)) !== null) return id;
  const first = await lines().next();
  if (first.done === true) return null;
  const context = partContext(run, target.target, part, work.signal);
  const file = await createFile(deps, context, {
    content: encode(endpoint, lines()),
    purpose: 'batch',
    details: () =>
      Promise.resolve({
        filename: `${run.id}-${target.target}-${part}.jsonl`,
        purpose: 'batch',
        expiresAfterSeconds: null,
      }),
  });
  const batch = await createBatch(deps, context, {
    input_file_id: file.id,
    endpoint,
    completion_window: window ?? target.spec.completion_window,
    metadata: {
      ...run.metadata,
      [TAGS.eval]: run.evalId,
      [TAGS.run]: run.id,
      [TAGS.target]: target.name,
      [TAGS.part]: part === 'answers' ? 'answer' : 'judge',
    },
    ...(config !== undefined && { config }),
  });
  return batch.id;
}

/** Runs what may be refused for good (a file beyond what the key may store): the target then ends with the reason. */
export async function orFail(work: TargetWork, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ApiError && isRefusedForGood(error))) throw error;
    await fail(work, { code: error.code ?? 'error', message: error.message });
  }
}

export async function fail(work: TargetWork, error: NonNullable<EvalTargetRow['error']>): Promise<void> {
  await take(work, { to: { ...next('done'), error } });
}

async function* encode(endpoint: Endpoint, lines: AsyncIterable<AskedLine>): AsyncGenerator<Uint8Array> {
  for await (const { id, body } of lines) {
    yield Buffer.from(`${JSON.stringify({ custom_id: id, method: 'POST', url: endpoint, body })}\n`);
  }
}
