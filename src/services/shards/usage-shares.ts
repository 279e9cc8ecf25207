import { Buffer } from 'node:buffer';
import type { BatchResult, ProviderBatch } from '../../../providers/contract.ts';
import { type LineBytes, trueUp } from '../../core/true-up.ts';
import type { Usage } from '../../core/usage.ts';
import { addUsage, totalInput, totalOutput } from '../../core/usage.ts';
import { failuresLast } from './failures-last.ts';
import { lineOfKey } from './native-input.ts';
import type { ShardWork } from './shard-work.ts';
import { shardLines } from './shard-work.ts';

export type UsageShares = () => Promise<ReadonlyMap<number, Usage>>;

/** True of an answer that was billed without saying how much. */
export function lacksUsage({ result }: BatchResult): boolean {
  return result.ok && result.usage === null;
}

/**
 * Estimates the usage of answers that report none, by line (0-based), so that all answers together have the provider
 * batch's totals. Empty where the provider tells no totals, or none that can be right. The answers are read once for it,
 * when it is first asked for: every line of the shard takes part, whether it is settled or not, so that each has the
 * same share however often its answers are collected.
 */
export function usageShares(work: ShardWork, batch: ProviderBatch): UsageShares {
  let shares: ReturnType<UsageShares> | null = null;
  return () => {
    shares ??= readShares(work, batch);
    return shares;
  };
}

async function readShares(work: ShardWork, batch: ProviderBatch): Promise<ReadonlyMap<number, Usage>> {
  const { api, call, deps, shard } = work;
  const totals = (await api.totals?.(batch, call)) ?? null;
  if (totals === null) return new Map();
  const { lines, reported, answered } = await weigh(work, batch);
  const rest = {
    input: totalInput(totals.usage) - totalInput(reported),
    output: totalOutput(totals.usage) - totalOutput(reported),
  };
  if (rest.input < 0 || rest.output < 0 || totals.records < answered) {
    deps.log.warn({ shard: shard.id, totals, reported, answered }, 'the totals are less than what the answers report');
    return new Map();
  }
  return new Map(
    [...trueUp(rest, lines)].map(([line, { input, output }]) => [
      line,
      { input_tokens: input, ...(rest.output > 0 && { output_tokens: output }) },
    ]),
  );
}

/** What the answers report, and the bytes of those that report nothing; a line's first answer counts. */
async function weigh(work: ShardWork, batch: ProviderBatch) {
  const lengths = new Map((await shardLines(work)).map(({ line, length }) => [line, length]));
  const lines: LineBytes[] = [];
  let reported: Usage = {};
  let answered = 0;
  for await (const answer of failuresLast(work.api.results(batch, work.call))) {
    const line = lineOfKey(answer.key) ?? -1;
    const input = lengths.get(line);
    if (input === undefined) continue;
    lengths.delete(line);
    const { result } = answer;
    if (result.usage) reported = addUsage(reported, result.usage);
    if (!result.ok) continue;
    answered += 1;
    if (result.usage === null) lines.push({ line, input, output: Buffer.byteLength(result.body) });
  }
  return { lines, reported, answered };
}
