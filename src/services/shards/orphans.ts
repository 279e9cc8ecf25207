import type { Provider, RemoteObject } from '../../../providers/contract.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import { plainCall } from './shard-work.ts';

const OBJECTS_AT_ONCE = 1_000;

/**
 * Looks at every provider for batches and files that carry this installation's mark and that no row knows: what a lost
 * answer or a restored database left. Live batches are stopped, files removed; each is logged for the operator. What a shard
 * once made, though its provider did not list it when asked, is entered in the ledger too.
 * Answers how many there were.
 */
export async function sweepProviders(deps: Deps, signal: AbortSignal): Promise<number> {
  let orphans = 0;
  for (const [name, provider] of deps.providers) {
    try {
      for (const object of await findOrphans(deps, provider, signal)) {
        await remove(deps, name, object, signal);
        orphans += 1;
      }
    } catch (error) {
      deps.log.warn({ provider: name, error: String(error) }, 'the search for orphans was broken off');
    }
  }
  return orphans;
}

/**
 * What one provider holds under this installation's mark that no row knows; nothing where it has no batches. Rejects with
 * ProviderError.
 */
export async function findOrphans(deps: Deps, provider: Provider, signal: AbortSignal): Promise<RemoteObject[]> {
  if (!provider.batch) return [];
  const mark = `weir-${await deps.store.shards.installation()}-`;
  const found: RemoteObject[] = [];
  for await (const object of provider.batch.inventory(plainCall(deps, signal))) {
    if (object.token.startsWith(mark)) found.push(object);
    if (found.length >= OBJECTS_AT_ONCE) break;
  }
  const known = await deps.store.shards.knownTokens(found.map(({ token }) => token));
  // A row is written before its provider batch: what is younger may belong to a step that is under way.
  const before = unixSeconds(deps.clock) - deps.settings.orphanSeconds;
  return found.filter((object) => !known.has(object.token) && object.createdAt <= before);
}

/** True where the batch is a shard's: it is told to stop from there, and what it has done is entered. */
async function adopt(deps: Deps, name: string, { id, token, refs, createdAt }: RemoteObject): Promise<boolean> {
  const found = { id, refs: { ...refs }, submittedAt: createdAt, now: unixSeconds(deps.clock) };
  if (!(await deps.store.shards.adopt(token, found))) return false;
  deps.log.warn({ provider: name, providerBatchId: id, token }, 'a provider batch whose create call was lost is there');
  deps.nudge();
  return true;
}

async function remove(deps: Deps, name: string, object: RemoteObject, signal: AbortSignal): Promise<void> {
  const api = deps.providers.get(name)?.batch;
  if (!api) return;
  if (object.kind === 'batch' && (await adopt(deps, name, object))) return;
  // The output of a batch that was adopted since they were listed is to be read yet.
  if ((await deps.store.shards.knownTokens([object.token])).has(object.token)) return;
  const call = plainCall(deps, signal);
  if (object.kind === 'batch' && object.live) await api.cancel({ id: object.id, refs: object.refs }, call);
  const removed = object.live ? [] : await api.cleanup(object.refs, call);
  deps.log.warn(
    { provider: name, kind: object.kind, id: object.id, token: object.token, removed },
    'orphan at a provider',
  );
}
