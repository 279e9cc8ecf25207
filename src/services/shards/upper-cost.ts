import { estimateLineTokens } from '../../core/tokens.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { upperBound } from '../budgets/upper-bound.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';

/** Lines that are looked at: the others are taken to be alike. */
const SAMPLE_LINES = 500;

/** What lines (in file order) may come to as a provider batch, in nano-USD, for a batch that has no estimate. */
export async function upperCostOf(work: ShardWork, lines: readonly ShardLine[]): Promise<number> {
  const { deps, candidate } = work;
  const now = unixSeconds(deps.clock);
  const reader = new ForwardReader(deps.files, work.input.contentKey);
  const every = Math.max(1, Math.ceil(lines.length / SAMPLE_LINES));
  let sampled = 0;
  let sum = 0;
  for (let at = 0; at < lines.length; at += every) {
    const line = lines[at];
    if (line === undefined) continue;
    const request = parseRequestLine(await reader.read(line));
    const tokens = estimateLineTokens(request, line.length);
    sum += upperBound(deps, [candidate], { request, tokens }, now, true);
    sampled += 1;
  }
  return sampled === 0 ? 0 : Math.ceil((sum * lines.length) / sampled);
}
