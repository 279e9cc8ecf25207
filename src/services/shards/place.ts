/** Where provider batches are made. The config may name another place by the time that one is asked about. */
import { createHash } from 'node:crypto';
import type { BatchApi, Provider } from '../../../providers/contract.ts';
import type { Failure, FailureKind } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import type { Deps } from '../../ports/deps.ts';
import type { ShardRow } from '../../ports/store-shards.ts';

type Placed = Pick<ShardRow, 'place'>;
type PlacedWork = { shard: Placed; api: Pick<BatchApi, 'place'> };

/** So many hex digits tell a changed key well enough, and nobody a key. */
const MARK_DIGITS = 4;

/** What is kept of the place in which a provider batch is made; `region`: whose prices apply there. */
export function placeOf({ place }: Pick<BatchApi, 'place'>, region?: string): NonNullable<ShardRow['place']> {
  const mark = createHash('sha256').update(place.account()).digest('hex').slice(0, MARK_DIGITS);
  return { name: place.name, mark, ...(region !== undefined && { region }) };
}

/** Whether the shard's provider batch was made at another address, in another region or project, or for another account. */
export function isElsewhere({ shard, api }: PlacedWork): boolean {
  return isElsewhereByName({ shard, api }) || (shard.place !== null && placeOf(api).mark !== shard.place.mark);
}

/** The same, not counting accounts: another key may be one of the same account. */
export function isElsewhereByName({ shard, api }: PlacedWork): boolean {
  return shard.place !== null && api.place.name !== shard.place.name;
}

/** What another place says of a provider batch that it never had. */
const STRANGE_KINDS: ReadonlySet<FailureKind> = new Set([
  'not_found',
  'invalid_request',
  'unsupported',
  'authentication',
  'permission',
  'bad_response',
]);

/** Whether a failure may only tell that the provider batch was made elsewhere. */
export function isMisplaced(work: PlacedWork, { kind }: Failure): boolean {
  return isElsewhereByName(work) ? STRANGE_KINDS.has(kind) : kind === 'not_found' && isElsewhere(work);
}

/**
 * The provider to ask about a shard: its own, or where that has another place by now or is gone, one under whatever name that
 * has the place in which the provider batch was made. Prices of a place are that place's.
 */
export function providerFor(deps: Pick<Deps, 'providers'>, shard: ShardRow): Provider | undefined {
  const own = deps.providers.get(shard.provider);
  if (shard.state === 'pending' || shard.place === null) return own;
  if (own?.batch && !isElsewhere({ shard, api: own.batch })) return own;
  const other = [...deps.providers.values()].find(({ batch }) => batch && !isElsewhere({ shard, api: batch }));
  if (own === undefined) return other;
  const { priceRegion, ...rest } = own;
  const region = other ? other.priceRegion : (shard.place.region ?? priceRegion);
  return { ...rest, ...(other?.batch && { batch: other.batch }), ...(region !== undefined && { priceRegion: region }) };
}

/** What an operator is told of a provider batch that is not where the config says; `said`: what is said there instead. */
export function notHere(provider: string, said: Failure | null = null): Failure {
  const message =
    `The provider batch was made at another address, region or account than '${provider}' has in the config now, and is not ` +
    'found there. Put the settings it was made with back into the config, under this name or any other: until then its answers ' +
    'are out of reach. The log says where it was made.';
  const words = said === null || said.kind === 'not_found' ? '' : ` What is there now says: ${said.message}`;
  return { ...refusal('permission', 'place_changed', message + words), reachedProvider: true };
}
