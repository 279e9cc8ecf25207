import type { BatchObject } from '../../protocol/batch.ts';
import type { BatchTarget } from '../../protocol/batch-insight.ts';
import type { Api } from './api.ts';
import { cut, printable } from './printable.ts';
import type { Beside } from './watch.ts';

/** A batch that goes on needs no reason why it does not. */
const STILL_MS = 2_000;
const WHY = { held: 'refuses the account', unreachable: 'serves nothing now' };
const NOTHING: Beside = { lines: [], sentence: '' };

/** What to show beside a batch's progress where that has come to a stop: the targets that take no lines, and why. */
export function besideStill(api: Api, now: () => number): (batch: BatchObject, width: number) => Promise<Beside> {
  let done = -1;
  let since = 0;
  return async ({ id, status, request_counts: counts }, width) => {
    if (counts.completed + counts.failed !== done) {
      done = counts.completed + counts.failed;
      since = now();
    }
    if (status !== 'in_progress' || now() - since < STILL_MS) return NOTHING;
    const path = `/v1/batches/${encodeURIComponent(id)}/targets`;
    // Whether the server is there is told by the progress itself.
    const targets = await api.get<{ data: BatchTarget[] }>(path).catch(() => ({ data: [] }));
    const reasons = targets.data.flatMap(({ target, held }) =>
      held && held.state !== 'given_up'
        ? [printable(`${target} ${WHY[held.state]}, and lines wait: ${held.message}`)]
        : [],
    );
    return {
      lines: reasons.map((reason) => cut(reason, width)),
      sentence: reasons.map((text) => `; ${text}`).join(''),
    };
  };
}
