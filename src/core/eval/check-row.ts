import type { EvalRow } from '../../protocol/eval-run.ts';
import { type Fields, isFields } from '../fields.ts';
import { findBadValue } from '../json-limits.ts';
import { schemaProblem } from '../schema-check.ts';
import { GradeError } from './grader.ts';
import type { Asker } from './request.ts';
import { compileReference } from './template.ts';

/** What every row of a data source must have, so that nothing is paid for that cannot be graded. */
export interface RowRules {
  /** JSON schema of the item. */
  schema: Fields;
  /** What graders read: `item.answer`; what they read of the sample is not looked at. */
  reads: readonly string[];
  /** Fill in what is asked. They throw GradeError for an item that does not hold it. */
  askers: readonly Pick<Asker, 'messages'>[];
  /** Rows bring their answers. */
  needsSample: boolean;
}

/** Makes the check of a row: it answers why the row cannot be taken, as the end of a sentence; null when it can. */
export function rowChecker({ schema, reads, askers, needsSample }: RowRules): (row: unknown) => string | null {
  const references = [...new Set(reads)].filter((text) => text.startsWith('item')).map(compileReference);
  return (row) => {
    if (!isFields(row) || !isFields(row.item))
      return `it is no object with an 'item', such as {"item": {"question": "…"}}`;
    if (row.sample != null && !isFields(row.sample)) return "its 'sample' is no object";
    if (needsSample && row.sample == null) {
      return "it has no 'sample'; rows without one need a model and input_messages in the data source";
    }
    const bad = findBadValue(row);
    if (bad !== null) return bad.message;
    const problem = schemaProblem(schema, row.item);
    if (problem !== null) return `its item does not fit the eval's schema at ${problem}`;
    const subject = { item: row.item, sample: {} };
    try {
      for (const { read } of references) read(subject);
      for (const { messages } of askers) messages(row.item);
    } catch (error) {
      if (error instanceof GradeError) return `${error.message}, which the run reads`;
      throw error;
    }
    return null;
  };
}

/** The members of a row that count. */
export function toRow(row: Fields): EvalRow {
  const { item, sample } = row as unknown as EvalRow;
  return sample == null ? { item } : { item, sample };
}
