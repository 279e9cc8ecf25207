import { PLAN_RECORD_BYTES, readPlanRecord } from '../../core/plan.ts';
import { duplicateCustomId, parseRequestLine } from '../../core/validate-input.ts';
import type { FileStore } from '../../ports/files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import type { PlanBuilder, Suspect } from './plan-builder.ts';

const flagsOffset = 13;

interface ObjectKeys {
  contentKey: string;
  planKey: string;
}

interface Verdict {
  duplicates: BatchError[];
  /** Suspects not looked at, because enough duplicates are known. */
  unchecked: number;
  cleared: Suspect[];
}

/**
 * Looks at the lines whose ids have the hash of an earlier one, until `enough` true duplicates are known. What was no
 * duplicate becomes a request after all, in the builder and in the written plan.
 */
export async function settleSuspects(
  files: FileStore,
  keys: ObjectKeys,
  builder: PlanBuilder,
  enough: number,
): Promise<void> {
  const { duplicates, unchecked, cleared } = await judge(files, keys, builder.suspects, enough);
  if (cleared.length > 0) {
    const lines = cleared.map((suspect) => suspect.line);
    await clearLines(files, keys.planKey, lines);
  }
  builder.settle(duplicates, unchecked, cleared);
}

async function judge(
  files: FileStore,
  keys: ObjectKeys,
  suspects: readonly Suspect[],
  enough: number,
): Promise<Verdict> {
  const verdict: Verdict = { duplicates: [], unchecked: 0, cleared: [] };
  /** First line of a hash → every id of that hash so far, with its line. */
  const known = new Map<number, Map<string, number>>();
  for (const [index, suspect] of suspects.entries()) {
    if (verdict.duplicates.length >= enough) {
      verdict.unchecked = suspects.length - index;
      break;
    }
    let ids = known.get(suspect.firstLine);
    if (ids === undefined) {
      ids = new Map([[await readCustomId(files, keys, suspect.firstLine), suspect.firstLine]]);
      known.set(suspect.firstLine, ids);
    }
    const firstLine = ids.get(suspect.customId);
    if (firstLine !== undefined) {
      verdict.duplicates.push(duplicateCustomId(suspect.line + 1, suspect.customId, firstLine + 1));
    } else {
      ids.set(suspect.customId, suspect.line);
      verdict.cleared.push(suspect);
    }
  }
  return verdict;
}

async function readCustomId(files: FileStore, keys: ObjectKeys, line: number): Promise<string> {
  const bytes = await files.readRange(keys.planKey, { offset: line * PLAN_RECORD_BYTES, length: PLAN_RECORD_BYTES });
  const { offset, length } = readPlanRecord(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  return parseRequestLine(await files.readRange(keys.contentKey, { offset, length })).customId;
}

/** Rewrites a plan so that `lines` (0-based, ascending) are no longer invalid. */
async function clearLines(files: FileStore, planKey: string, lines: readonly number[]): Promise<void> {
  const source = await files.read(planKey);
  const writer = await files.create(planKey);
  try {
    let at = 0;
    let next = 0;
    for await (const chunk of source) {
      const copy = new Uint8Array(chunk);
      for (; next < lines.length; next++) {
        const place = (lines[next] as number) * PLAN_RECORD_BYTES + flagsOffset - at;
        if (place >= copy.length) break;
        copy[place] = 0;
      }
      at += copy.length;
      await writer.write(copy);
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
