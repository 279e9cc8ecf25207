import type { VNode } from 'preact';
import { ago, exactUsd, formatCount, formatTime, nowSeconds, shortCount, shortTime, shortUsd } from '../format.ts';
import { html } from '../html.ts';

interface MoneyProps {
  nano: number | null;
  usd: string | null;
  /** Of a sum: entries without a price, which are not in it. */
  unpriced?: number;
}

/** Money: rounded for the eye, exact on hover. What is unpriced, or a sum of such entries alone, is never shown as zero. */
export function Money({ nano, usd, unpriced = 0 }: MoneyProps): VNode {
  if (nano === null || usd === null || (nano === 0 && unpriced > 0))
    return html`<span class="exact warn-text" title="No price is known">unpriced</span>`;
  return html`<span class="exact" data-usd=${usd} title=${`${exactUsd(usd)} exactly`}>${shortUsd(nano)}</span>`;
}

/** A count with its exact value on hover. */
export function Count({ value, unit = '' }: { value: number; unit?: string }): VNode {
  return html`<span class="exact" title=${`${formatCount(value)}${unit && ` ${unit}`}`}>${shortCount(value)}</span>`;
}

/** A point in time; null: not yet, or never. */
export function When({ at, relative = false }: { at: number | null; relative?: boolean }): VNode {
  if (at === null) return html`<span class="faint">–</span>`;
  const shown = relative ? ago(at, nowSeconds()) : shortTime(at);
  return html`<time class="exact nowrap" datetime=${new Date(at * 1000).toISOString()} title=${formatTime(at)}>${shown}</time>`;
}

/** One of a page's head figures. */
export function Figure({
  name,
  note,
  tone = '',
  children,
}: {
  name: string;
  note?: unknown;
  tone?: '' | 'lead' | 'bad';
  children?: unknown;
}): VNode {
  return html`<div class=${`figure ${tone}`}>
    <dt>${name}</dt>
    <dd><div>${children}</div>${note ? html`<div class="note">${note}</div>` : null}</dd>
  </div>`;
}
