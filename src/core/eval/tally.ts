import type { EvalCriterionResult, EvalModelUsage, EvalResultCounts } from '../../protocol/eval-run.ts';
import type { ItemGrade } from './grade-item.ts';

/** Counts with one more call of a model. */
export function withUsage(
  all: readonly EvalModelUsage[],
  model: string,
  usage: { prompt_tokens: number; completion_tokens: number; cached_tokens: number; total_tokens: number },
): EvalModelUsage[] {
  const none = {
    model_name: model,
    invocation_count: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    cached_tokens: 0,
    total_tokens: 0,
  };
  const known = all.find(({ model_name }) => model_name === model) ?? none;
  const sum = {
    model_name: model,
    invocation_count: known.invocation_count + 1,
    prompt_tokens: known.prompt_tokens + usage.prompt_tokens,
    completion_tokens: known.completion_tokens + usage.completion_tokens,
    cached_tokens: known.cached_tokens + usage.cached_tokens,
    total_tokens: known.total_tokens + usage.total_tokens,
  };
  return known === none ? [...all, sum] : all.map((each) => (each === known ? sum : each));
}

/** Counts with one more graded item. */
export function withGrade(
  all: readonly EvalCriterionResult[],
  { results }: Pick<ItemGrade, 'results'>,
): EvalCriterionResult[] {
  return all.map((counts, index) => {
    const result = results[index];
    if (result === undefined) return counts;
    const outcome = result.score === null ? 'errored' : result.passed ? 'passed' : 'failed';
    return { ...counts, [outcome]: counts[outcome] + 1 };
  });
}

interface Tally {
  passed: number;
  failed: number;
  errored: number;
  criteria: readonly EvalCriterionResult[];
  usage: readonly EvalModelUsage[];
}

/** Several targets together. */
export function sumTallies(tallies: readonly Tally[], total: number) {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((all, tally) => all + of(tally), 0);
  const counts: EvalResultCounts = {
    total,
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    errored: sum(({ errored }) => errored),
  };
  const criteria = (tallies[0]?.criteria ?? []).map(({ testing_criteria }, index) => ({
    testing_criteria,
    passed: sum((tally) => tally.criteria[index]?.passed ?? 0),
    failed: sum((tally) => tally.criteria[index]?.failed ?? 0),
    errored: sum((tally) => tally.criteria[index]?.errored ?? 0),
  }));
  const models = Map.groupBy(
    tallies.flatMap(({ usage }) => usage),
    ({ model_name }) => model_name,
  );
  const usage = [...models].map(([model_name, all]) => {
    const of = (name: Exclude<keyof EvalModelUsage, 'model_name'>) =>
      all.reduce((total, each) => total + each[name], 0);
    return {
      model_name,
      invocation_count: of('invocation_count'),
      prompt_tokens: of('prompt_tokens'),
      completion_tokens: of('completion_tokens'),
      cached_tokens: of('cached_tokens'),
      total_tokens: of('total_tokens'),
    };
  });
  return { counts, criteria, usage };
}
