import { describe, expect, it } from 'vitest';
import { NOW, type Subject } from './subject.ts';

export function serversContract(subject: Subject): void {
  describe('servers', () => {
    it('are counted while they say that they are there, until they leave or are silent for long', async () => {
      const { servers } = subject.store;
      const elsewhere = (await subject.another()).servers;
      await servers.announce('a', NOW, NOW - 100);
      await elsewhere.announce('b', NOW + 5, NOW - 100);
      expect(await servers.count(NOW)).toBe(2);
      expect(await elsewhere.count(NOW + 1)).toBe(1);
      await servers.announce('a', NOW + 9, NOW - 100);
      // A clock that goes back takes nothing away.
      await servers.announce('a', NOW + 8, NOW - 100);
      expect(await servers.count(NOW + 9)).toBe(1);
      await servers.leave('a');
      expect(await servers.count(NOW)).toBe(1);
      await servers.announce('c', NOW + 200, NOW + 100);
      expect(await servers.count(NOW)).toBe(1);
    });
  });
}
