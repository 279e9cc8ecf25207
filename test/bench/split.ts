/**
 * A weighted split: 10,000 lines at 40/30/30, counted by the servers that received them; and the same file again.
 *
 *   node test/bench/split.ts
 */
import {
  type SimulatedServer,
  startOpenAICompatibleServer,
} from '../../providers/sandbox/servers/openai-compatible.ts';
import { chatLines, splitConfig, startWeir, submit, waitForBatch } from '../e2e/weir.ts';
import { figure, report } from './goals.ts';

const LINES = 10_000;
const WEIGHTS = [40, 30, 30];
const IDEAL = WEIGHTS.map((weight) => (LINES * weight) / 100);

const options = { models: ['gpt-4o-mini'], count_by: { path: 'messages.0.content' } };
const pools = await Promise.all(WEIGHTS.map(() => startOpenAICompatibleServer(options)));
const weir = await startWeir(
  splitConfig(
    pools.map(({ baseUrl }) => baseUrl),
    WEIGHTS,
  ),
);

/** Which lines each server received. */
async function splitOnce(): Promise<Set<string>[]> {
  for (const pool of pools) pool.reset();
  const { id } = await submit(weir, chatLines(LINES), { config: 'split' });
  await waitForBatch(weir, id, { seconds: 80 });
  return pools.map(({ counters }: SimulatedServer) => new Set(counters.by_custom.keys()));
}

try {
  const first = await splitOnce();
  const again = await splitOnce();
  const moved = first.reduce((sum, lines, index) => sum + lines.difference(again[index] ?? new Set()).size, 0);
  const off = Math.max(...first.map(({ size }, index) => Math.abs(size - (IDEAL[index] ?? 0))));
  report([
    {
      goal: null,
      what: `split of ${figure(LINES)} lines at ${WEIGHTS.join('/')}`,
      yardstick: `exact ${IDEAL.join('/')}`,
      figure: first.map(({ size }) => size).join('/'),
      wanted: 'within 1',
      met: off <= 1,
    },
    {
      goal: null,
      what: 'the same file again',
      yardstick: 'the same lines at each target',
      figure: `${moved} lines moved`,
      wanted: '0',
      met: moved === 0,
    },
  ]);
} finally {
  await weir.stop();
  await Promise.all(pools.map((pool) => pool.stop()));
}
