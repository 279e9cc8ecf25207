import type { BatchResult, Success } from '../../../providers/contract.ts';
import { FrameReader } from '../../core/request-frame.ts';
import type { Usage } from '../../core/usage.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { LineConverter } from './line-converter.ts';
import { lineOfKey } from './native-input.ts';
import type { ShardOutcome } from './settle-lines.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { lacksUsage, type UsageShares } from './usage-shares.ts';

/** What a provider batch says of a line. */
export interface Answered {
  line: ShardLine;
  answer: BatchResult;
  /** It is the answer to another line, which asks the same. */
  isShared: boolean;
}

/** What became of lines by their answers, in file order. */
export async function outcomesOf(
  work: ShardWork,
  group: readonly Answered[],
  shares: UsageShares,
): Promise<ShardOutcome[]> {
  const estimates = group.some(({ answer }) => lacksUsage(answer)) ? await shares() : null;
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  const frames = new FrameReader();
  const converter = new LineConverter(work.provider, work.candidate);
  const outcomes: ShardOutcome[] = [];
  for (const { line, answer, isShared } of group.toSorted((a, b) => a.line.line - b.line.line)) {
    const request = frames.read(await reader.read(line));
    const estimate = lacksUsage(answer) ? estimates?.get(lineOfKey(answer.key) ?? line.line) : undefined;
    const result = estimate && answer.result.ok ? withEstimate(answer.result, estimate) : answer.result;
    const converted = converter.convert(request);
    const warnings = converted.ok ? converted.warnings : [];
    outcomes.push({
      line,
      request,
      result,
      failure: result.ok ? null : result.failure,
      warnings: result.ok ? [...warnings, ...result.warnings] : warnings,
      ...(work.batch.options?.includeRaw && answer.raw !== '' && { raw: answer.raw }),
      isEstimated: estimate !== undefined,
      isShared,
    });
  }
  return outcomes;
}

function withEstimate(result: Success, usage: Usage): Success {
  const warning = "usage: estimated, as this answer's share of the provider batch's totals";
  // An answer that is still bytes leaves its text behind.
  return { ...result, body: result.body, usage, warnings: [...result.warnings, warning] };
}
