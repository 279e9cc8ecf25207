import type { KeyRow } from '../../ports/store-keys.ts';
import type { KeyObject } from '../../protocol/key.ts';
import { NO_KEY_LIMITS } from '../../protocol/key.ts';

/** The key as clients see it: never its hash. */
export function toKeyObject(row: KeyRow): KeyObject {
  return {
    id: row.id,
    object: 'key',
    name: row.name,
    role: row.role,
    tenant_id: row.tenantId,
    prefix: row.prefix,
    limits: { ...NO_KEY_LIMITS, ...row.limits },
    created_at: row.createdAt,
    revoked_at: row.revokedAt,
  };
}
