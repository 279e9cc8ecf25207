import { formatCount, isUnknown, roughUsd, type Sum } from '../figures.ts';
import type { Paint } from '../paint.ts';
import { cut, printable } from '../printable.ts';
import { layBar } from '../progress.ts';

const BAR = 20;
const NAME = 24;

/** How far a target of a run is. */
export interface Standing {
  name: string;
  state: string;
  done: number;
  total: number;
  cost: Sum;
}

/** A target's line while its run goes on, for `width` columns. A cost that nobody knows is no zero. */
export function layStanding({ name, state, done, total, cost }: Standing, width: number, paint: Paint): string {
  const label = cut(printable(name), NAME).padEnd(NAME);
  const counts = `${formatCount(done)}/${formatCount(total)}`;
  const spent = isUnknown(cost) ? 'cost unknown' : `${roughUsd(cost.nano)}${cost.unpriced > 0 ? '*' : ''}`;
  const line = `${label}  ${layBar(total === 0 ? 0 : done / total, BAR, paint)}  ${counts}  ${state}  ${spent}`;
  // Bars hold colours, which take no columns: a line is only cut where even its plain text would wrap.
  return width < NAME + BAR + 20 ? line.slice(0, width) : line;
}
