import { formatId, ID_BYTES } from '../../core/ids.ts';
import type { Deps } from '../../ports/deps.ts';
import { storeNewKey } from './create.ts';
import { DEFAULT_TENANT } from './tenant.ts';

/**
 * Makes the first admin key when no key is stored and the operator configured none. Answers its secret, to be shown
 * once; null when there is a way in already.
 */
export async function bootstrap(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'adminKeyHash'>,
): Promise<{ secret: string; keyId: string } | null> {
  if ((deps.adminKeyHash ?? null) !== null || (await deps.store.keys.count()) > 0) return null;
  const input = { name: 'first admin key', role: 'admin', tenant_id: DEFAULT_TENANT } as const;
  const { row, secret } = await storeNewKey(deps, input, { id: formatId('key_', deps.random.bytes(ID_BYTES)) });
  return { secret, keyId: row.id };
}
