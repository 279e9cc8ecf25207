import { describe, expect, it } from 'vitest';
import { MemberHealth, mismatchOf, rootsOf } from '../../src/core/member-health.ts';

describe('a member’s health', () => {
  it('stands one failed check, not two in a row, and returns with the next good one', () => {
    const health = new MemberHealth();
    expect(health.state).toBe('unknown');
    health.checked(true, 1);
    health.checked(false, 2);
    expect(health.state).toBe('healthy');
    health.checked(true, 1);
    health.checked(false, 2);
    expect(health.state).toBe('healthy');
    expect(health.inDoubt).toBe(true);
    health.checked(false, 2);
    expect(health).toMatchObject({ inDoubt: false, state: 'unhealthy', reason: 'its health check fails' });
    health.checked(true, 1);
    expect(health).toMatchObject({ state: 'healthy', reason: null });
  });

  it('is out while it serves other models, however well it is', () => {
    const health = new MemberHealth();
    health.checked(true, 1);
    health.modelsChecked('serves b as a');
    expect(health).toMatchObject({ state: 'wrong_model', reason: 'serves b as a' });
    health.modelsChecked(null);
    expect(health.state).toBe('healthy');
  });

  it('knows a model that is missing, and one with other weights under the same name', () => {
    const roots = rootsOf([[{ id: 'chat', root: 'org/a' }], [{ id: 'chat', root: 'org/a' }]], new Map());
    expect(mismatchOf([{ id: 'chat', root: 'org/a' }], ['chat'], roots)).toBeNull();
    expect(mismatchOf([{ id: 'chat', root: null }], ['chat'], roots)).toBeNull();
    expect(mismatchOf([{ id: 'chat', root: 'org/b' }], ['chat'], roots)).toContain('serves org/b as chat');
    expect(mismatchOf([{ id: 'other', root: 'org/a' }], ['chat'], roots)).toContain('does not serve chat');
  });

  it('follows a pool that moves to another model, not a member that does', () => {
    const a = [{ id: 'chat', root: 'org/a' }];
    const b = [{ id: 'chat', root: 'org/b' }];
    const before = rootsOf([a, a], new Map());
    expect(rootsOf([a, b], before).get('chat')).toBe('org/a');
    expect(rootsOf([b, b], before).get('chat')).toBe('org/b');
  });
});
