import { signal } from '@preact/signals';
import { session } from './api.ts';

/** Whose accounts an administrator looks at: `*` for all tenants'. */
export const chosenTenant = signal('*');

/** What requests say of the tenant; nothing for keys that see only their own. */
export function tenantQuery(): { tenant_id?: string } {
  return session.value?.role === 'admin' ? { tenant_id: chosenTenant.value } : {};
}
