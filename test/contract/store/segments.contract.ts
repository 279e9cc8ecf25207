import { describe, expect, it } from 'vitest';
import { batchRow, claim, emptyCommit, NOW, partRow, type Subject, segmentRow, startBatch } from './subject.ts';

const rows = [0, 1, 2].map((index) => segmentRow('batch_1', index));

export function segmentsContract(subject: Subject): void {
  describe('segments', () => {
    it('may be planned twice without changing what is there', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const [lease] = await claim(store);
      await store.segments.insertMany(rows.map((row) => ({ ...row, queue: 'elsewhere' })));
      await store.segments.insertMany([]);
      expect(lease).toEqual({ ...rows[0], token: 'worker', leaseUntil: NOW + 30, granted: 0, resumed: false });
      expect(await store.segments.backlog()).toEqual([{ queue: 'pool', pending: 20, leased: 10 }]);
    });

    it('are not planned for a batch that has ended', async () => {
      const { store } = subject;
      await store.batches.insert(batchRow('batch_1', { status: 'cancelled' }));
      await store.segments.insertMany(rows);
      expect(await store.segments.backlog()).toEqual([]);
    });

    it('come back after a clean release as resumed, with nothing granted', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const leases = await claim(store);
      await store.segments.commit(
        emptyCommit(leases, { segments: [{ id: 'batch_1-0', token: 'worker', granted: 7, finished: false }] }),
      );
      await store.segments.release([{ id: 'batch_1-0', token: 'other' }]);
      expect((await claim(store, { limit: 9 })).map((lease) => lease.id)).toEqual(['batch_1-1', 'batch_1-2']);
      await store.segments.release([{ id: 'batch_1-0', token: 'worker' }]);
      expect(await claim(store)).toMatchObject([{ id: 'batch_1-0', granted: 0, resumed: true }]);
    });

    it('come back after a lease has ended as resumed, with what was granted', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const leases = await claim(store, { until: NOW + 30 });
      await store.segments.commit(
        emptyCommit(leases, {
          leaseUntil: NOW + 40,
          segments: [{ id: 'batch_1-0', token: 'worker', granted: 7, finished: false }],
        }),
      );
      expect(await store.segments.recover({ now: NOW + 40 })).toBe(0);
      expect(await store.segments.recover({ now: NOW + 41 })).toBe(1);
      expect(await claim(store, { token: 'next' })).toMatchObject([{ id: 'batch_1-0', granted: 7, resumed: true }]);
    });

    it('of others are recovered at a start, whenever their lease would end', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      await claim(store, { token: 'before', limit: 2, until: NOW + 9_999 });
      await claim(store, { token: 'now' });
      expect(await store.segments.recover({ others: 'now' })).toBe(2);
      expect(await store.segments.backlog()).toEqual([{ queue: 'pool', pending: 20, leased: 10 }]);
      expect(await store.segments.recover({ holder: 'no' })).toBe(0);
      expect(await store.segments.recover({ holder: 'now' })).toBe(1);
    });

    it('are held longer by a renewal, which tells how their batches stand', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      await startBatch(store, 'batch_2', [segmentRow('batch_2', 0)]);
      await startBatch(store, 'batch_3', [segmentRow('batch_3', 0)]);
      const held = await claim(store, { limit: 2, until: NOW + 30 });
      await claim(store, { token: 'other', until: NOW + 30 });
      await store.batches.setPaused('all', 'batch_1', NOW);
      await store.batches.cancel('all', 'batch_2', NOW);
      expect(await store.segments.renew(held, NOW + 90)).toEqual(
        new Map([
          ['batch_1', { status: 'in_progress', stop: null, paused: true }],
          ['batch_2', { status: 'cancelling', stop: 'cancelled', paused: false }],
        ]),
      );
      expect(await store.segments.recover({ now: NOW + 31 })).toBe(1);
      const lost = held.map(({ id }) => ({ id, token: 'nobody' }));
      expect(await store.segments.renew(lost, NOW + 90)).toEqual(new Map());
      expect(await store.segments.renew([], NOW + 90)).toEqual(new Map());
    });

    it('end by themselves where their holder does not name them: it never learned of them, or gave them up', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const [known] = await claim(store, { limit: 2, until: NOW + 30 });
      await store.segments.renew(known ? [known] : [], NOW + 90);
      expect(await store.segments.recover({ now: NOW + 31 })).toBe(1);
      expect(await store.segments.recover({ now: NOW + 91 })).toBe(1);
    });

    it('without an end may have sent lines: of a batch in any state they can be leased until that is settled', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const [doubtful] = await claim(store, { until: NOW + 30 });
      await claim(store, { until: NOW + 30 });
      const segments = [{ id: doubtful?.id ?? '', token: 'worker', granted: 4, finished: false }];
      await store.segments.commit(emptyCommit(doubtful ? [doubtful] : [], { segments }));
      await store.batches.cancel('all', 'batch_1', NOW);
      const query = { batchId: 'batch_1', token: 'work', until: NOW + 99, limit: 8 };
      expect(await store.segments.claimDoubtful(query)).toEqual([]);
      await store.segments.recover({ now: NOW + 999 });
      const again = await store.segments.claimDoubtful(query);
      expect(again).toMatchObject([{ id: doubtful?.id, granted: 4, token: 'work', resumed: true }]);
      expect(await store.segments.claimDoubtful(query)).toEqual([]);
    });

    it('belong to a holder under any token that continues its own', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const [first] = await claim(store, { token: 'worker/1', until: NOW + 30 });
      await claim(store, { token: 'worker2', until: NOW + 30 });
      expect(await store.segments.recover({ others: 'worker' })).toBe(1);
      await store.segments.renew(first ? [first] : [], NOW + 90);
      await claim(store, { token: 'worker/2', until: NOW + 30 });
      expect(await store.segments.recover({ now: NOW + 60 })).toBe(1);
      // Leased again by the same holder it is another lease: what was in flight under the first counts no more.
      await store.segments.release([{ id: 'batch_1-0', token: 'worker/1' }]);
      expect(await claim(store, { token: 'worker/3' })).toMatchObject([{ id: 'batch_1-0', token: 'worker/3' }]);
      expect(await store.segments.commit(emptyCommit(first ? [first] : []))).toEqual({
        ok: false,
        lost: ['batch_1-0'],
      });
    });

    it('keep how many lines were in flight, by stretches of time where one stretch holds it', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const leases = await claim(store, { limit: 9 });
      const start = NOW * 1000 - ((NOW * 1000) % 10_000);
      const times = [
        [start, start + 1_000, 2_000],
        [start + 1_000, start + 4_000, 9_000],
        [start + 4_000, start + 12_000, 8_000],
        [start + 12_000, start + 21_000, 900],
      ];
      for (const [at, [busyFrom = 0, busyUntil = 0, busyMs = 0]] of times.entries()) {
        const part = partRow(`part-${at}`, { busyFrom, busyUntil, busyMs });
        await store.segments.commit(emptyCommit(leases, { part }));
      }
      await store.segments.commit(emptyCommit(leases, { part: partRow('of a shard') }));
      expect(await store.insight.busyTimes('batch_1', 10)).toEqual([
        { busyFrom: start, busyUntil: start + 4_000, busyMs: 11_000 },
        { busyFrom: start + 4_000, busyUntil: start + 12_000, busyMs: 8_000 },
        { busyFrom: start + 12_000, busyUntil: start + 21_000, busyMs: 900 },
      ]);
      expect(await store.insight.busyTimes('batch_2', 10)).toEqual([]);
    });

    it('show their parts by lines and in the order of their commits', async () => {
      const { store } = subject;
      await startBatch(store, 'batch_1', rows);
      const leases = await claim(store, { limit: 3 });
      const spans = [
        ['late', 20, 29],
        ['wide', 0, 25],
        ['early', 3, 9],
      ] as const;
      for (const [key, firstLine, lastLine] of spans) {
        const part = partRow(key, { firstLine, lastLine });
        expect((await store.segments.commit(emptyCommit(leases, { part }))).ok).toBe(true);
      }
      const keys = (parts: readonly { key: string }[]) => parts.map((part) => part.key);
      expect(await store.segments.parts('batch_1', 0, 2)).toEqual([partRow('wide', { firstLine: 0, lastLine: 25 })]);
      expect(keys(await store.segments.parts('batch_1', 9, 20))).toEqual(['wide', 'early', 'late']);
      expect(keys(await store.segments.parts('batch_1', 0, Number.MAX_SAFE_INTEGER))).toHaveLength(3);
      expect(await store.segments.parts('batch_2', 0, 99)).toEqual([]);
      expect(keys(await store.segments.partsSince('batch_1', null, 2))).toEqual(['late', 'wide']);
      expect(keys(await store.segments.partsSince('batch_1', 'wide', 2))).toEqual(['early']);
      expect(await store.segments.partsSince('batch_1', 'early', 2)).toEqual([]);
    });
  });
}
