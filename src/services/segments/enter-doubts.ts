import { describeError } from '../../core/describe-error.ts';
import { emptyUsage, toBatchUsage } from '../../core/usage.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { entriesOfDoubts } from './line-entry.ts';
import { OpenBatch } from './open-batch.ts';
import { OpenSegment } from './open-segment.ts';

const SEGMENTS_AT_ONCE = 8;

/**
 * Of a stopped batch: lines that a lease without an end may have sent, and that nobody will send again, are entered as
 * calls of which nobody knows how they ended. `token` leases their segments meanwhile. Lines that cannot be read are passed over
 * where that is to be given up.
 */
export async function enterDoubts(
  deps: Deps,
  batch: BatchRow,
  token: string,
  { giveUp }: { giveUp: boolean },
): Promise<void> {
  const input = await deps.store.files.getAny(batch.inputFileId);
  if (!input || batch.lanesKey === null) return;
  const nothing = (): void => undefined;
  const budget = await deps.limiter.budget(batch.keyId);
  const open = new OpenBatch(deps, { row: batch, input, budget, taker: token }, () => '', nothing);
  const nothingSent = { lines: 0, starve: nothing, granted: nothing };
  for (;;) {
    const until = unixSeconds(deps.clock) + deps.settings.leaseSeconds;
    const query = { batchId: batch.id, token, until, limit: SEGMENTS_AT_ONCE };
    const leases = await deps.store.segments.claimDoubtful(query);
    if (leases.length === 0) return;
    for (const lease of leases) {
      const doubts = async (): Promise<LedgerEntryRow[]> => {
        const segment = await OpenSegment.open(deps, lease, open, nothingSent);
        return entriesOfDoubts(deps, await segment.takeDoubts(deps));
      };
      const entries = await doubts().catch((error: unknown) => {
        if (!giveUp) throw error;
        deps.log.error({ segment: lease.id, error: describeError(error) }, 'lines in doubt cannot be read');
        return [];
      });
      await deps.store.segments.commit({
        batchId: batch.id,
        now: unixSeconds(deps.clock),
        leaseUntil: until,
        part: null,
        segments: [{ id: lease.id, token, granted: 0, finished: false }],
        entries,
        completed: 0,
        failed: 0,
        usage: toBatchUsage(emptyUsage),
      });
    }
  }
}
