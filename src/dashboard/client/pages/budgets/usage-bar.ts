import type { VNode } from 'preact';
import type { BudgetObject } from '../../../../protocol/budget.ts';
import { exactUsd, percent } from '../../format.ts';
import { html } from '../../html.ts';

/** Spent and held of the limit, as a bar with the thresholds as marks. */
export function UsageBar({ budget }: { budget: BudgetObject }): VNode {
  const { usage, limit_nano_usd: limit } = budget;
  const shareOf = (nano: number) => (limit === 0 ? (nano > 0 ? 1 : 0) : nano / limit);
  const spent = Math.max(0, shareOf(usage.spent_nano_usd));
  const held = Math.max(0, shareOf(usage.held_nano_usd));
  // What is overdrawn fills the bar; the figures beside it say by how much.
  const scale = Math.max(1, spent + held);
  const width = (share: number) => ({ width: `${(share / scale) * 100}%` });
  const text = `${exactUsd(usage.spent_usd)} spent and ${exactUsd(usage.held_usd)} held of ${exactUsd(budget.limit_usd)}`;
  return html`<div class="row-progress">
    <div class="progress" role="meter" aria-label=${`Used of ${budget.name}`} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${Math.min(100, Math.round((spent + held) * 100))} aria-valuetext=${text} title=${text}>
      <span class=${spent >= 1 ? 'spent over' : 'spent'} style=${width(spent)}></span><span class="held" style=${width(held)}></span></div>
    <span class="cell-sub">${limit === 0 ? 'nothing may be spent' : `${percent(spent)} spent${held > 0 ? `, ${percent(held)} held` : ''}`}</span></div>`;
}
