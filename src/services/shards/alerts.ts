import { UNREAD_SECONDS } from '../../core/shard-alert.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardAlertCount } from '../../ports/store-shards.ts';

/** What at the providers' batch services needs a look, by provider: for health, metrics and administration. */
export function countAlerts({
  store,
  clock,
  settings,
}: Pick<Deps, 'store' | 'clock' | 'settings'>): Promise<ShardAlertCount[]> {
  const now = unixSeconds(clock);
  return store.shards.alerts({ stuckBefore: now - settings.stuckSeconds, unreadBefore: now - UNREAD_SECONDS });
}
