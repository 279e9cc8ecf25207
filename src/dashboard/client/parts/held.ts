import type { VNode } from 'preact';
import type { HeldTarget } from '../../../protocol/held-target.ts';
import { html } from '../html.ts';

/** Its state, and what the provider says. */
interface HeldProps extends Pick<HeldTarget, 'state' | 'message'> {
  target: string;
}

/** Why batch lines wait for a target, or fail there: its key is refused, or the account has no money. */
export function Held({ target, state, message }: HeldProps): VNode {
  const lines = state === 'held' ? 'wait until that is mended' : 'fail, as that lasted too long';
  return html`<p class="notice warn">${target} refuses the account, and batch lines ${lines}: ${message}</p>`;
}
