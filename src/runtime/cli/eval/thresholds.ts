import { reaches, type Threshold } from '../../../core/eval/junit-report.ts';
import type { EvalComparison } from '../../../protocol/eval-comparison.ts';
import { EXIT, type ExitCode, wrongUse } from '../exit.ts';

/** What `--fail-under` asks: a rate for every target, or `target=rate` for one. */
export interface FailUnder {
  /** Null: every target. */
  target: string | null;
  least: number;
}

/** Reads rates such as `0.8`, `80%` and `mini=0.9`. Throws CliError. */
export function readFailUnder(texts: readonly string[]): FailUnder[] {
  return texts.map((text) => {
    const at = text.lastIndexOf('=');
    return { target: at < 0 ? null : text.slice(0, at), least: readShare(text.slice(at + 1), 'fail-under') };
  });
}

/** A share as `0.8` or `80%`. Throws CliError. */
export function readShare(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s?(%?)$/.exec(text.trim());
  const value = Number(match?.[1]) / (match?.[2] === '%' ? 100 : 1);
  if (match !== null && value <= 1) return value;
  throw wrongUse(`--${option} needs a share such as 0.8 or 80%, not ${text}.`, option);
}

/** What each target must reach. Throws CliError for a target that the run does not have. */
export function thresholdsOf(wanted: readonly FailUnder[], { targets, failed_targets }: EvalComparison): Threshold[] {
  const names = [...targets, ...failed_targets].map(({ target }) => target);
  return wanted.flatMap(({ target, least }) => {
    if (target === null) return names.map((name) => ({ target: name, least }));
    if (names.includes(target)) return [{ target, least }];
    throw wrongUse(`--fail-under names ${target}, but the targets are ${names.join(', ')}.`, 'fail-under');
  });
}

/** The thresholds that were missed: too low a pass rate, or none at all. */
export function missedOf(thresholds: readonly Threshold[], { targets }: EvalComparison): Threshold[] {
  return thresholds.filter((threshold) => {
    const figures = targets.find(({ target }) => target === threshold.target);
    return figures === undefined || !reaches(figures, threshold);
  });
}

/** Thresholds decide where there are any; else each answer must have come and been graded. */
export function exitCodeOf(comparison: EvalComparison, thresholds: readonly Threshold[]): ExitCode {
  if (thresholds.length > 0) return missedOf(thresholds, comparison).length > 0 ? EXIT.failedLines : EXIT.done;
  const isWhole =
    comparison.failed_targets.length === 0 &&
    comparison.targets.every(({ items, answered, graded }) => answered === items && graded === items);
  return isWhole && comparison.status === 'completed' ? EXIT.done : EXIT.failedLines;
}
