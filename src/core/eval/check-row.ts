import type { EvalRow } from '../../protocol/eval-run.ts';
import { type Fields, isFields } from '../fields.ts';
import { findBadValue } from '../json-limits.ts';
import { schemaProblem } from '../schema-check.ts';
import { GradeError } from './grader.ts';
import { compileReference } from './template.ts';

/** What every row of a data source must have, so that nothing is paid for that cannot be graded. */
export interface RowRules {
  /** JSON schema of the item. */
  schema: Fields;
  /** What is read of it: `item.question`; and of its sample, where rows bring their answers. */
  reads: readonly string[];
  /** Rows bring their answers. */
  needsSample: boolean;
}

/** Makes the check of a row: it answers why the row cannot be taken, as the end of a sentence; null when it can. */
export function rowChecker({ schema, reads, needsSample }: RowRules): (row: unknown) => string | null {
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
    for (const { read } of references) {
      try {
        read({ item: row.item, sample: {} });
      } catch (error) {
        if (!(error instanceof GradeError)) throw error;
        return `${error.message}, which the run reads`;
      }
    }
    return null;
  };
}

/** The members of a row that count. */
export function toRow(row: Fields): EvalRow {
  const { item, sample } = row as unknown as EvalRow;
  return sample == null ? { item } : { item, sample };
}
