import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * Of each half of the young generation: with 8 MB twice as much of a batch grows old before its results are committed, which
 * costs a sixth more of processor time; 16 save nothing that shows. Of --max-semi-space-size V8 makes a power of two.
 */
const HALF_BYTES = 12 * 1024 ** 2;
const LOOK_MS = { busy: 100, idle: 250 };

/**
 * Lets the young generation grow while `isBusy` says so, and only then: requests in flight outlive many a collection of a
 * small one. Whatever else is done (files that come and go, queries) does as well with the little that a start takes, but
 * would make it as large all the same. Ends with the returned function.
 *
 * What V8 compiled under one factor it does not take from a cache under another: 1 is that of a start (launch.js), and the
 * factor when the cache is written.
 */
export function growWhileBusy(isBusy: () => boolean): () => void {
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const busy = isBusy();
    growBy(busy ? growthTo(HALF_BYTES) : 1);
    timer = setTimeout(look, busy ? LOOK_MS.busy : LOOK_MS.idle).unref();
  };
  look();
  return () => {
    clearTimeout(timer);
    growBy(1);
  };
}

function growBy(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}

/** By what V8 has to multiply the young generation for its halves to have so many bytes, or nearly. */
function growthTo(bytes: number): number {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return Math.max(1, Math.floor((2 * bytes) / Math.max(1, young?.space_size ?? bytes)));
}
