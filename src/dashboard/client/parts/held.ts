import type { VNode } from 'preact';
import type { TargetHold } from '../../../protocol/held-target.ts';
import { html } from '../html.ts';

/** Its state, and what the provider says. */
interface HeldProps extends Pick<TargetHold, 'state' | 'message'> {
  target: string;
}

const WHY = {
  held: 'refuses the account, and batch lines wait until that is mended',
  given_up: 'refuses the account, and batch lines fail, as that lasted too long',
  unreachable: 'serves nothing now, and batch lines wait until it does',
};

/** Why batch lines wait for a target, or fail there: its key is refused, the account has no money, or nothing answers. */
export function Held({ target, state, message }: HeldProps): VNode {
  return html`<p class="notice warn">${target} ${WHY[state]}: ${message}</p>`;
}
