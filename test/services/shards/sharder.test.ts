import { describe, expect, it } from 'vitest';
import type { BatchLimits } from '../../../providers/contract.ts';
import type { RunLane } from '../../../src/core/lane.ts';
import type { ShardRow } from '../../../src/ports/store-shards.ts';
import { Sharder, type ShardTarget } from '../../../src/services/batches/sharder.ts';

const none: BatchLimits = {
  lines: null,
  linesMin: null,
  bytes: null,
  lineBytes: null,
  jobs: null,
  enqueuedTokens: null,
};

/** Shards that lines of these sizes become, and those that were handed back as too small. */
async function shardsOf(limits: Partial<BatchLimits>, sizes: readonly number[]) {
  const rows: ShardRow[] = [];
  const small: ShardRow[] = [];
  const store = {
    insertMany: (more: readonly ShardRow[]) => {
      rows.push(...more);
      return Promise.resolve();
    },
  };
  const run = { kind: 'run', candidates: [{ provider: 'p', model: 'm' }], shared: 1 } as unknown as RunLane;
  const target: ShardTarget = {
    lane: 0,
    run,
    candidate: 0,
    endpoint: '/v1/chat/completions',
    limits: { ...none, ...limits },
  };
  const sharder = new Sharder(store, { id: 'batch_1', tenantId: 't' }, 7, (_target, row) => {
    small.push(row);
    return true;
  });
  for (const [line, bytes] of sizes.entries()) sharder.add(target, line, bytes);
  await sharder.end();
  const ranges = (list: ShardRow[]) => list.map(({ firstLine, lastLine, lines }) => [firstLine, lastLine, lines]);
  return { shards: ranges(rows), small: ranges(small) };
}

const lines = (count: number, bytes = 100) => Array.from({ length: count }, () => bytes);

describe('shards of a lane', () => {
  it('hold no more lines than a provider batch may', async () => {
    expect((await shardsOf({ lines: 200 }, lines(450))).shards).toEqual([
      [0, 199, 200],
      [200, 399, 200],
      [400, 449, 50],
    ]);
  });

  it('leave room for the provider’s form within its bytes, and hold a line of any size', async () => {
    const { shards } = await shardsOf({ bytes: 1_000 }, [400, 400, 100, 5_000, 10]);
    expect(shards).toEqual([
      [0, 1, 2],
      [2, 2, 1],
      [3, 3, 1],
      [4, 4, 1],
    ]);
  });

  it('hold no more tokens than may be queued at once', async () => {
    const { shards } = await shardsOf({ enqueuedTokens: 100 }, lines(10));
    expect(shards).toEqual([
      [0, 3, 4],
      [4, 7, 4],
      [8, 9, 2],
    ]);
  });

  it('are handed back below the least number of lines, the last one as well as an only one', async () => {
    const limits = { lines: 200, linesMin: 100 };
    expect(await shardsOf(limits, lines(250))).toEqual({ shards: [[0, 199, 200]], small: [[200, 249, 50]] });
    expect(await shardsOf(limits, lines(99))).toEqual({ shards: [], small: [[0, 98, 99]] });
    expect(await shardsOf(limits, lines(100))).toEqual({ shards: [[0, 99, 100]], small: [] });
  });
});
