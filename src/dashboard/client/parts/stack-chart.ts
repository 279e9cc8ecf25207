import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { everyNth, ticks } from './axis.ts';
import { useWidth } from './measure.ts';

export interface Series {
  name: string;
  /** `1` to `6`, or `rest`. */
  fill: string;
  /** One for each slot. */
  values: readonly number[];
}

export interface Slot {
  /** On the axis. */
  label: string;
  /** In the tip. */
  title: string;
}

const HEIGHT = 240;
const TOP = 8;
const BOTTOM = 24;
const LEFT = 58;
const BAR_MAX = 72;

/** Stacked bars over time. The arrow keys walk through them; the tip is read out. */
export function StackChart({
  label,
  slots,
  series,
  format,
  formatMark,
}: {
  label: string;
  slots: readonly Slot[];
  series: readonly Series[];
  format: (value: number) => string;
  /** For the round values of the axis. */
  formatMark: (value: number) => string;
}): VNode {
  const { ref, width } = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const totals = slots.map((_, index) => series.reduce((sum, { values }) => sum + Math.max(0, values[index] ?? 0), 0));
  const marks = ticks(Math.max(...totals, 0), 4);
  const top = marks.at(-1) || 1;
  const inner = Math.max(0, width - LEFT);
  const step = inner / Math.max(1, slots.length);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const onKey = (event: KeyboardEvent) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    setAt((old) => Math.min(slots.length - 1, Math.max(0, (old ?? (move > 0 ? -1 : slots.length)) + move)));
  };
  const nth = everyNth(slots.length, inner, 58);
  return html`<div class="chart" ref=${ref} tabindex="0" role="group" aria-label=${`${label}. Use the arrow keys to read the values.`}
    onKeyDown=${onKey} onMouseLeave=${() => setAt(null)} onBlur=${() => setAt(null)}>
    <svg height=${HEIGHT} viewBox=${`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
      ${marks.map(
        (
          mark,
        ) => html`<g key=${mark}><line class=${mark === 0 ? 'grid base' : 'grid'} x1=${LEFT} x2=${width} y1=${y(mark)} y2=${y(mark)} />
        <text x=${LEFT - 10} y=${y(mark) + 4} text-anchor="end">${formatMark(mark)}</text></g>`,
      )}
      ${slots.map(
        (
          slot,
          index,
        ) => html`<${Bar} key=${index} index=${index} x=${LEFT + index * step} step=${step} y=${y} series=${series}
        isAt=${index === at} label=${index % nth === 0 ? slot.label : ''} onEnter=${() => setAt(index)} />`,
      )}
    </svg>
    ${
      at === null
        ? null
        : html`<${Tip} slot=${slots[at]} index=${at} series=${series} total=${totals[at] ?? 0} format=${format}
      left=${tipLeft(LEFT + (at + 0.5) * step, width)} />`
    }
  </div>`;
}

function Bar({
  index,
  x,
  step,
  y,
  series,
  isAt,
  label,
  onEnter,
}: {
  index: number;
  x: number;
  step: number;
  y: (value: number) => number;
  series: readonly Series[];
  isAt: boolean;
  label: string;
  onEnter: () => void;
}): VNode {
  const gap = Math.max(Math.min(step * 0.28, 8), step - BAR_MAX);
  let below = 0;
  const pieces = series.flatMap(({ fill, name, values }) => {
    const value = Math.max(0, values[index] ?? 0);
    if (value === 0) return [];
    const [bottom, top] = [y(below), y(below + value)];
    below += value;
    const height = Math.max(1, bottom - top);
    return [
      html`<rect key=${name} class=${`fill-${fill}`} x=${x + gap / 2} y=${bottom - height} width=${Math.max(1, step - gap)} height=${height} />`,
    ];
  });
  return html`<g onMouseEnter=${onEnter} onClick=${onEnter}>
    <rect class=${isAt ? 'band at' : 'band'} x=${x} y=${TOP} width=${step} height=${HEIGHT - TOP - BOTTOM} />
    ${pieces}
    ${label ? html`<text x=${x + step / 2} y=${HEIGHT - 6} text-anchor="middle">${label}</text>` : null}
  </g>`;
}

/** Beside the bar, on the side where there is room. */
function tipLeft(center: number, width: number): number {
  const tipWidth = 190;
  return center + 14 + tipWidth > width ? Math.max(0, center - 14 - tipWidth) : center + 14;
}

function Tip({
  slot,
  index,
  series,
  total,
  format,
  left,
}: {
  slot: Slot | undefined;
  index: number;
  series: readonly Series[];
  total: number;
  format: (value: number) => string;
  left: number;
}): VNode {
  const rows = series.map((each) => ({ ...each, value: each.values[index] ?? 0 })).filter(({ value }) => value !== 0);
  return html`<div class="tip" role="status" style=${{ left: `${left}px` }}>
    <strong>${slot?.title}</strong>
    <ul>${rows
      .toReversed()
      .map(
        ({ name, fill, value }) =>
          html`<li key=${name}><span><i class=${`swatch fill-${fill}`}></i>${name}</span><span>${format(value)}</span></li>`,
      )}
    <li><span>Total</span><strong>${format(total)}</strong></li></ul>
  </div>`;
}

/** Names, colours and totals of the series. */
export function Legend({ items }: { items: readonly { name: string; fill: string; value?: unknown }[] }): VNode {
  return html`<ul class="legend">${items.map(
    ({ name, fill, value }) =>
      html`<li key=${name}><i class=${`swatch fill-${fill}`}></i><span class="name">${name}</span><span class="value">${value}</span></li>`,
  )}</ul>`;
}
