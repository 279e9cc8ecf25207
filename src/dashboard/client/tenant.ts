import { signal } from '@preact/signals';
import type { KeyObject } from '../../protocol/key.ts';
import type { Page } from '../../protocol/page.ts';
import { get, session, withQuery } from './api.ts';

const KEY_PAGES_MAX = 20;

/** Whose accounts an administrator looks at: `*` for all tenants'. */
export const chosenTenant = signal('*');

/** The tenants that an administrator may choose from, as far as keys name them. */
export async function loadTenants(): Promise<string[]> {
  const tenants = new Set<string>();
  let after: string | null = null;
  for (let page = 0; page < KEY_PAGES_MAX; page++) {
    const keys: Page<KeyObject> = await get<Page<KeyObject>>(withQuery('/v1/keys', { limit: 100, after }));
    for (const key of keys.data) tenants.add(key.tenant_id);
    after = keys.last_id;
    if (!keys.has_more) break;
  }
  return [...tenants].sort();
}

/** What requests say of the tenant; nothing for keys that see only their own. */
export function tenantQuery(): { tenant_id?: string } {
  return session.value?.role === 'admin' ? { tenant_id: chosenTenant.value } : {};
}
