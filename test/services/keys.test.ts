import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootstrap } from '../../src/services/keys/bootstrap.ts';
import { hashSecret, isSecret, newSecret, sameHash } from '../../src/services/keys/secret.ts';
import { FailureThrottle } from '../../src/services/keys/throttle.ts';
import { type Harness, openHarness } from '../http/harness.ts';

describe('the first admin key', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await openHarness({ adminKeyHash: null });
  });
  afterEach(() => harness.close());

  it('is made when there is no way in, works, and is stored as a hash', async () => {
    const made = await bootstrap(harness.deps);
    expect(made).not.toBeNull();
    const secret = made?.secret ?? '';
    expect((await harness.send('GET', '/v1/keys', { key: secret })).status).toBe(200);
    const row = await harness.deps.store.keys.findByHash(hashSecret(secret));
    expect(row).toMatchObject({ id: made?.keyId, role: 'admin', tenantId: 'default' });
    expect(JSON.stringify(row)).not.toContain(secret);
  });

  it('is made once', async () => {
    expect(await bootstrap(harness.deps)).not.toBeNull();
    expect(await bootstrap(harness.deps)).toBeNull();
    expect(await harness.deps.store.keys.count()).toBe(1);
  });

  it('is not made when the operator configured one', async () => {
    expect(await bootstrap({ ...harness.deps, adminKeyHash: hashSecret('mine') })).toBeNull();
    expect(await harness.deps.store.keys.count()).toBe(0);
  });
});

describe('secrets', () => {
  it('are weir_ and 43 characters, whatever the bytes', () => {
    for (const value of [0, 1, 255]) {
      const secret = newSecret({ unit: () => 0, bytes: (length) => new Uint8Array(length).fill(value) });
      expect(secret).toHaveLength(48);
      expect(isSecret(secret)).toBe(true);
    }
  });

  it('are compared by hash, and nothing equals an empty hash', () => {
    expect(sameHash(hashSecret('a'), hashSecret('a'))).toBe(true);
    expect(sameHash(hashSecret('a'), hashSecret('b'))).toBe(false);
    expect(sameHash('', '')).toBe(false);
    expect(sameHash('zz', 'zz')).toBe(false);
  });
});

describe('the throttle', () => {
  it('forgets the oldest source when it is full', () => {
    const throttle = new FailureThrottle(1, 1000, 2);
    for (const source of ['a', 'b', 'c']) throttle.fail(source, 0);
    expect(throttle.waitMs('a', 1)).toBe(0);
    expect(throttle.waitMs('b', 1)).toBe(999);
    expect(throttle.waitMs('c', 1000)).toBe(0);
  });
});
