import { ApiError } from '../../core/api-error.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { SessionRow } from '../../ports/store-sessions.ts';
import { hashSecret, sameHash } from '../keys/secret.ts';
import { isToken, operatorProof } from './token.ts';

/** The session of a token. Throws the same 401 for an unknown and an ended one, also when its key works no longer. */
export async function authenticateSession(
  deps: Pick<Deps, 'store' | 'clock' | 'adminKeyHash'>,
  token: string,
): Promise<SessionRow> {
  const row = isToken(token) ? await deps.store.sessions.find(hashSecret(token), unixSeconds(deps.clock)) : null;
  if (row === null || !isKeyGood(deps, row, token)) {
    throw new ApiError(401, 'The session has ended. Sign in again.', { code: 'session_ended' });
  }
  return row;
}

/** Stored keys were looked at by the store; the operator's own may have been changed since. */
function isKeyGood({ adminKeyHash }: Pick<Deps, 'adminKeyHash'>, row: SessionRow, token: string): boolean {
  if (row.operatorProof === null) return row.keyId !== null;
  return adminKeyHash != null && sameHash(row.operatorProof, operatorProof(token, adminKeyHash));
}
