import { describe, expect, it } from 'vitest';
import { claimShards, NOW, type Subject, shardRow, startBatch } from './subject.ts';

const asked = (...questions: string[]) => questions.map((question, line) => ({ question, line }));
const lease = (index: number, batch = 'batch_1') => ({ id: `${batch}-s${index}`, leaseToken: 'worker' });
const NOTHING = { segments: [], shards: [] };

export function askedLinesContract(subject: Subject): void {
  describe('what shards ask their providers for', () => {
    it('is noted once: who comes later is told whose batch asks already', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [], {}, [shardRow('batch_1', 0)]);
      await startBatch(store, 'batch_2', [], {}, [shardRow('batch_2', 0)]);
      await claimShards(store);
      expect(await store.shards.ask(lease(0), asked('a', 'b'), true)).toEqual(new Map());
      const others = await store.shards.ask(lease(0, 'batch_2'), asked('c', 'b'), true);
      expect(others).toEqual(new Map([['b', { shardId: 'batch_1-s0', batchId: 'batch_1' }]]));
      expect(await store.shards.askedLines('batch_1-s0')).toEqual([
        { line: 0, question: 'a' },
        { line: 1, question: 'b' },
      ]);
      expect(await store.shards.askedLines('batch_2-s0')).toEqual([{ line: 0, question: 'c' }]);
      // More is added, unless it is to stand in place of all before.
      expect(await store.shards.ask(lease(0, 'batch_2'), [{ line: 4, question: 'd' }], false)).toEqual(new Map());
      expect(await store.shards.askedLines('batch_2-s0')).toHaveLength(2);
      await store.shards.ask(lease(0, 'batch_2'), [], true);
      expect(await store.shards.askedLines('batch_2-s0')).toEqual([]);
    });

    it('may be asked by another as soon as the first waits, ends, or was left by who worked on it', async () => {
      const { store } = subject;
      const rows = [0, 1].map((index) => shardRow('batch_1', index));
      await startBatch(store, 'batch_1', [], {}, rows);
      await claimShards(store);
      const isAsking = () => store.shards.areAsking(['batch_1-s0']);
      const isHeld = async () => (await store.shards.ask(lease(1), asked('a'), true))?.has('a');
      await store.shards.ask(lease(0), asked('a'), true);
      expect([await isHeld(), await isAsking()]).toEqual([true, true]);
      await store.shards.release('batch_1-s0', 'worker');
      expect([await isHeld(), await isAsking()]).toEqual([false, false]);
      expect(await store.shards.areAsking(['batch_1-s0', 'batch_1-s1'])).toBe(false);

      await claimShards(store);
      await store.shards.ask(lease(1), [], true);
      await store.shards.ask(lease(0), asked('a'), true);
      for (const state of ['submitting', 'running', 'collecting'] as const) {
        await store.shards.save('batch_1-s0', 'worker', { state });
        await store.shards.release('batch_1-s0', 'worker');
        expect(await isHeld(), state).toBe(true);
        await claimShards(store);
      }
      const end = { state: 'done' as const, now: NOW, nextAt: NOW, followUp: NOTHING };
      expect(await store.shards.settle('batch_1-s0', 'worker', end)).toBe(true);
      expect(await store.shards.askedLines('batch_1-s0')).toEqual([]);
      expect(await isHeld()).toBe(false);
    });

    it('is noted under the lease alone', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', [], {}, [shardRow('batch_1', 0)]);
      await claimShards(store);
      expect(await store.shards.ask({ ...lease(0), leaseToken: 'other' }, asked('a'), true)).toBeNull();
      expect(await store.shards.askedLines('batch_1-s0')).toEqual([]);
    });
  });
}
