import { describe, expect, it } from 'vitest';
import type { SessionRow } from '../../../src/ports/store-sessions.ts';
import { NOW, type Subject } from './subject.ts';

function sessionRow(hash: string, change: Partial<SessionRow> = {}): SessionRow {
  return {
    hash,
    keyId: null,
    tenantId: 'tenant-a',
    role: 'user',
    operatorProof: null,
    createdAt: NOW,
    expiresAt: NOW + 100,
    ...change,
  };
}

export function sessionsContract(subject: Subject): void {
  describe('sessions', () => {
    it('finds a session until its end, or until it is ended', async () => {
      const { sessions } = subject.store;
      await sessions.insert(sessionRow('a', { operatorProof: 'proof', role: 'admin' }));
      expect(await sessions.find('a', NOW + 99)).toEqual(sessionRow('a', { operatorProof: 'proof', role: 'admin' }));
      expect(await sessions.find('a', NOW + 100)).toBeNull();
      expect(await sessions.find('b', NOW)).toBeNull();
      await sessions.delete('a');
      expect(await sessions.find('a', NOW)).toBeNull();
    });

    it('ends with the key it was made with', async () => {
      const { sessions, keys } = subject.store;
      const key = { id: 'key_1', tenantId: 'tenant-a', name: 'k', role: 'user', prefix: 'p', hash: 'h' } as const;
      await keys.insert({ ...key, createdAt: NOW, revokedAt: null, limits: null });
      await sessions.insert(sessionRow('a', { keyId: 'key_1' }));
      await sessions.insert(sessionRow('b'));
      expect(await sessions.find('a', NOW)).not.toBeNull();
      await keys.revoke('key_1', NOW);
      expect(await sessions.find('a', NOW)).toBeNull();
      expect(await sessions.find('b', NOW)).not.toBeNull();
    });

    it('tells which of many sessions have not ended', async () => {
      const { sessions, keys } = subject.store;
      const key = { id: 'key_1', tenantId: 'tenant-a', name: 'k', role: 'user', prefix: 'p', hash: 'h' } as const;
      await keys.insert({ ...key, createdAt: NOW, revokedAt: null, limits: null });
      await sessions.insert(sessionRow('of a key', { keyId: 'key_1' }));
      await sessions.insert(sessionRow('a'));
      await sessions.insert(sessionRow('short', { expiresAt: NOW + 1 }));
      const asked = ['of a key', 'a', 'short', 'none'];
      expect(await sessions.live(asked, NOW)).toEqual(new Set(['of a key', 'a', 'short']));
      await keys.revoke('key_1', NOW);
      expect(await sessions.live(asked, NOW + 1)).toEqual(new Set(['a']));
      expect(await sessions.live([], NOW)).toEqual(new Set());
    });

    it('forgets ended sessions when another begins', async () => {
      const { sessions } = subject.store;
      await sessions.insert(sessionRow('old', { expiresAt: NOW + 1 }));
      await sessions.insert(sessionRow('new', { createdAt: NOW + 1, expiresAt: NOW + 50 }));
      expect(await sessions.find('old', NOW)).toBeNull();
      expect(await sessions.find('new', NOW)).not.toBeNull();
    });
  });
}
