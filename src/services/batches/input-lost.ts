import { type Failure, refusal } from '../../core/failure.ts';
import { PLAN_RECORD_BYTES } from '../../core/plan.ts';
import { steadyMs, unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { FileUnreadable } from '../../ports/files.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';

/** The code of lines, and of the batch, whose input cannot be read any more. */
export const INPUT_LOST = 'input_lost';

/** Why a line did not run whose batch has lost its input; `line` is 0-based, and null where its text is still there. */
export function inputLost(line: number | null): Failure {
  const which = line === null ? 'This request was not executed' : `Line ${line + 1} of the input file cannot be read`;
  const message = `${which}: the file on the server is damaged or gone. Upload it again and create a new batch.`;
  return refusal('interrupted', INPUT_LOST, message);
}

export function inputLostError(): BatchError {
  const message =
    'The input file can no longer be read: on the server it is damaged or gone. What was done until then is in the ' +
    'files of this batch. Upload the input again and create a new batch of the rest.';
  return { code: INPUT_LOST, message, param: 'input_file_id', line: null };
}

/** Stops batches whose input cannot be read for so long that it will hardly come back. */
export class InputWatch {
  private readonly deps: Deps;
  /** Since when that is so, on the steady clock, by batch. */
  private readonly since = new Map<string, number>();

  constructor(deps: Deps) {
    this.deps = deps;
  }

  /** Work on a batch failed, perhaps for that. Never rejects. */
  async note(batchId: string, error: unknown): Promise<void> {
    await this.look(batchId, error).catch(() => undefined);
  }

  private async look(batchId: string, error: unknown): Promise<void> {
    const { store, clock, settings, log } = this.deps;
    const batch = await store.batches.get('all', batchId);
    const input = batch && (await store.files.getAny(batch.inputFileId));
    if (!batch || !input || (!(error instanceof FileUnreadable) && (await isInputWhole(this.deps, batch, input)))) {
      this.since.delete(batchId);
      return;
    }
    const now = steadyMs(clock);
    const since = this.since.get(batchId) ?? now;
    this.since.set(batchId, since);
    if (now - since < settings.unreadableSeconds * 1000) return;
    this.since.delete(batchId);
    log.error({ batch: batchId, input: input.id }, 'the input of a batch is lost: it stops');
    await store.batches.stopWithoutInput(batchId, unixSeconds(clock));
    this.deps.nudge();
  }
}

const LANE_BYTES = 2;

/** Whether a batch's input, and what was noted of its lines, has as many bytes as it had. */
export async function isInputWhole(
  { files }: Pick<Deps, 'files'>,
  batch: Pick<BatchRow, 'lanesKey'>,
  input: FileRow,
): Promise<boolean> {
  const lines = input.plan?.lines ?? 0;
  const has = async (key: string | null, bytes: number): Promise<boolean> =>
    key === null || ((await files.size(key)) ?? -1) >= bytes;
  const found = await Promise.all([
    has(input.contentKey, input.bytes),
    has(input.planKey, lines * PLAN_RECORD_BYTES),
    has(batch.lanesKey, lines * LANE_BYTES),
  ]);
  return found.every(Boolean);
}
