import type { Deps } from '../../ports/deps.ts';
import type { SessionRow } from '../../ports/store-sessions.ts';

/** Ends a session at once. */
export async function endSession(deps: Pick<Deps, 'store' | 'log'>, row: SessionRow): Promise<void> {
  await deps.store.sessions.delete(row.hash);
  deps.log.info({ keyId: row.keyId, tenantId: row.tenantId }, 'signed out');
}
