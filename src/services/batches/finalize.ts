import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import { givenUp } from '../results/given-up.ts';
import { enterDoubts } from '../segments/enter-doubts.ts';
import { Assembly } from './assembly.ts';
import { inputLostError } from './input-lost.ts';
import { batchLineGroups } from './lines.ts';
import { PartReader } from './part-reader.ts';
import { takeSpares } from './take-spares.ts';

/**
 * Ends a batch: writes its output and error files in input order from the parts, every line exactly once, and sets the
 * final status together with the files. A crash on the way leaves nothing but bytes that the sweep removes. Throws
 * where results or input cannot be read, unless that is to be given up: then the lines are errors that say so. Answers
 * whether it came to its end. `begun` gives away what of the files was written before the end, where there is any.
 */
export async function finalizeBatch(
  services: Deps,
  batch: BatchRow,
  input: FileRow | null,
  { token, giveUp, begun }: { token: string; giveUp: boolean; begun: () => Promise<Assembly | null> },
): Promise<{ ended: boolean }> {
  const deps = giveUp ? givenUp(services) : services;
  if (batch.stop !== null && batch.status !== 'finalizing') await enterDoubts(deps, batch, token, { giveUp });
  if (batch.status !== 'finalizing') await takeSpares(deps, batch);
  if (batch.status === 'in_progress') {
    const isFinalizing = await deps.store.batches.beginFinalizing(batch.id, token, unixSeconds(deps.clock));
    if (!isFinalizing) return { ended: false };
  }
  const rest = batch.stop ?? 'lost';
  const assembly = (await begun()) ?? new Assembly(deps, batch);
  try {
    const reader = new PartReader(deps.files, { forward: true, strict: !giveUp });
    for await (const group of batchLineGroups(deps, batch, reader, { from: assembly.next, rest, input })) {
      if (!(await assembly.take(reader, group))) throw new Error('a line of a batch that has ended is still to come');
    }
    const { lost, stopped, neverRun } = assembly;
    if (lost > 0) deps.log.error({ batch: batch.id, lost }, 'lines that cannot be read any more are in the error file');
    const ended = await deps.store.batches.finish(batch.id, token, {
      now: unixSeconds(deps.clock),
      ...endOf(batch, stopped),
      neverRun,
      ...(await assembly.close()),
    });
    return { ended };
  } catch (error) {
    await assembly.abort();
    throw error;
  }
}

/** A batch that its budget stopped has ended as if it had not, when what was in flight by then was all that was left of it. */
function endOf(
  { stop }: Pick<BatchRow, 'stop'>,
  stopped: number,
): { status: 'completed' | 'expired' | 'cancelled'; errors: BatchError[] | null } {
  if (stop === 'input_lost') return { status: 'cancelled', errors: [inputLostError()] };
  if (stop !== 'budget') return { status: stop ?? 'completed', errors: null };
  if (stopped === 0) return { status: 'completed', errors: null };
  const message =
    `A budget that covers this batch is spent: ${stopped} of its requests were not executed. ` +
    'Ask the operator for more, then retry the batch.';
  return { status: 'cancelled', errors: [{ code: BUDGET_EXCEEDED, message, param: null, line: null }] };
}
