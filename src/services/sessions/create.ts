import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { SessionRow } from '../../ports/store-sessions.ts';
import { hashSecret } from '../keys/secret.ts';
import { newToken, operatorProof } from './token.ts';

/** How long a browser stays signed in: a working day. */
export const SESSION_SECONDS = 12 * 3_600;

/** Starts a session for whoever asks, with a key's rights and no more. The token is in this answer and nowhere else. */
export async function createSession(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'adminKeyHash' | 'log'>,
  { actor }: Pick<Context, 'actor'>,
): Promise<{ row: SessionRow; token: string }> {
  const token = newToken(deps.random);
  const now = unixSeconds(deps.clock);
  const row: SessionRow = {
    hash: hashSecret(token),
    keyId: actor.keyId,
    tenantId: actor.tenantId,
    role: actor.role,
    operatorProof: actor.keyId === null ? operatorProof(token, deps.adminKeyHash ?? '') : null,
    createdAt: now,
    expiresAt: now + SESSION_SECONDS,
  };
  await deps.store.sessions.insert(row);
  deps.log.info({ keyId: actor.keyId, tenantId: actor.tenantId, role: actor.role }, 'signed in');
  return { row, token };
}
