import type { PlanSummary } from '../../core/plan.ts';
import { readPlanRecord } from '../../core/plan.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchError } from '../../protocol/batch.ts';
import { endpointFamily } from '../../protocol/endpoint.ts';
import { planWindows } from './read-plan.ts';

/** Everything that makes the whole batch fail before a line is sent; empty when it may start. */
export async function findErrors(
  deps: Deps,
  batch: Pick<BatchRow, 'endpoint'>,
  input: FileRow,
  plan: PlanSummary,
): Promise<BatchError[]> {
  if (plan.errorCount > 0) {
    const hidden = plan.errorCount - plan.errors.length;
    return hidden > 0 ? [...plan.errors, moreErrors(hidden)] : plan.errors;
  }
  if (plan.requests === 0) {
    return [
      { code: 'empty_file', message: 'The input file is empty. Add at least one request.', param: null, line: null },
    ];
  }
  const family = endpointFamily(batch.endpoint);
  const foreign = new Set(
    plan.endpoints.flatMap(({ endpoint }, index) => (endpointFamily(endpoint) === family ? [] : [index])),
  );
  return foreign.size > 0 ? findForeignLines(deps, batch, input, plan, foreign) : [];
}

/** The lines whose url belongs to another kind of endpoint than the batch's. */
async function findForeignLines(
  deps: Deps,
  batch: Pick<BatchRow, 'endpoint'>,
  input: FileRow,
  plan: PlanSummary,
  foreign: ReadonlySet<number>,
): Promise<BatchError[]> {
  const errors: BatchError[] = [];
  let hidden = 0;
  for await (const { first, count, view } of planWindows(deps, input, plan.lines)) {
    for (let index = 0; index < count; index++) {
      const record = readPlanRecord(view, index);
      if (record.flags !== 0 || !foreign.has(record.endpoint)) continue;
      if (errors.length >= deps.settings.maxLineErrors) hidden += 1;
      else errors.push(foreignLine(batch, plan.endpoints[record.endpoint]?.endpoint ?? '', first + index + 1));
    }
  }
  return hidden > 0 ? [...errors, moreErrors(hidden)] : errors;
}

function foreignLine(batch: Pick<BatchRow, 'endpoint'>, url: string, line: number): BatchError {
  return {
    code: 'invalid_url',
    message: `The URL provided for this request ('${url}') does not match the batch endpoint ('${batch.endpoint}'). Put such lines into a batch of their own.`,
    param: 'url',
    line,
  };
}

function moreErrors(count: number): BatchError {
  return { code: 'more_errors', message: `${count} more lines have errors.`, param: null, line: null };
}
