import type { ApiError } from '../core/api-error.ts';
import type { PlanSummary } from '../core/plan.ts';
import type { Settings } from './settings.ts';

/** Records of lines, in blocks that follow each other, each with memory of its own: whoever gets them owns them. */
export interface LineRecords {
  /** Plan records: core/plan.ts. */
  plan: readonly Uint8Array[];
  /** Hashes of custom_ids: core/repeats.ts. */
  ids: readonly Uint8Array[];
  /** Why the file cannot be a batch input at all: its records are of no use then. */
  refusal: ApiError | null;
}

/** What was left at the end of a file. */
export interface CheckedInput extends LineRecords {
  /** Of all bytes, lower-case hex. */
  sha256: string;
  /** Every custom_id is taken for one of its own. */
  summary: PlanSummary;
}

/** One file as it comes by: every line is checked, and all bytes are hashed. */
export interface InputCheck {
  /** Memory that `take` reads without copying it; the caller's until the check is closed. */
  allocate(bytes: number): Uint8Array;
  /**
   * Looks at the next bytes: the first `length` of `memory`, which must stay as they are until the answer. Calls may
   * overlap and are answered in their order. Rejects when the check has failed, as all later calls do.
   */
  take(memory: Uint8Array, length: number): Promise<LineRecords>;
  end(): Promise<CheckedInput>;
  /** Gives up. Safe at any time, also after the end. */
  close(): void;
}

export type CheckSettings = Pick<Settings, 'maxLines' | 'maxLineBytes' | 'maxLineErrors' | 'maxModels'>;

/** Where input files are checked: in the caller's thread or in another. */
export interface InputChecks {
  /** `idKey`: 8 random bytes. */
  open(options: { settings: CheckSettings; idKey: Uint8Array }): InputCheck;
  /** Gives up every check that is open, and what they hold. */
  close(): Promise<void>;
}
