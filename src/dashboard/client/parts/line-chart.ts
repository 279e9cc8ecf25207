import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { everyNth, ticks } from './axis.ts';
import { useWidth } from './measure.ts';
import type { Slot } from './stack-chart.ts';

const HEIGHT = 160;
const TOP = 8;
const BOTTOM = 22;
const LEFT = 44;

/** One figure over time, as an area. The arrow keys walk along it. */
export function LineChart({
  label,
  slots,
  values,
  format,
}: {
  label: string;
  slots: readonly Slot[];
  values: readonly number[];
  format: (value: number) => string;
}): VNode {
  const { ref, width } = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const marks = ticks(Math.max(...values, 0), 3);
  const top = marks.at(-1) || 1;
  const inner = Math.max(0, width - LEFT);
  const step = inner / Math.max(1, values.length);
  const x = (index: number) => LEFT + (index + 0.5) * step;
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  const ends = [`${x(0)},${y(0)}`, `${x(values.length - 1)},${y(0)}`];
  const nth = everyNth(slots.length, inner, 70);
  const onKey = (event: KeyboardEvent) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    setAt((old) => Math.min(values.length - 1, Math.max(0, (old ?? -1) + move)));
  };
  const onMove = (event: MouseEvent) => {
    const left = (event.currentTarget as Element).getBoundingClientRect().left;
    const index = Math.floor((event.clientX - left - LEFT) / step);
    setAt(index >= 0 && index < values.length ? index : null);
  };
  return html`<div class="chart" ref=${ref} tabindex="0" role="group" aria-label=${`${label}. Use the arrow keys to read the values.`}
    onKeyDown=${onKey} onMouseMove=${onMove} onMouseLeave=${() => setAt(null)} onBlur=${() => setAt(null)}>
    <svg height=${HEIGHT} viewBox=${`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
      ${marks.map(
        (
          mark,
        ) => html`<g key=${mark}><line class=${mark === 0 ? 'grid base' : 'grid'} x1=${LEFT} x2=${width} y1=${y(mark)} y2=${y(mark)} />
          <text x=${LEFT - 8} y=${y(mark) + 4} text-anchor="end">${format(mark)}</text></g>`,
      )}
      ${values.length > 1 ? html`<polygon class="area" points=${[ends[0], ...points, ends[1]].join(' ')} /><polyline class="line" points=${points.join(' ')} />` : null}
      ${values.length === 1 ? html`<circle class="fill-1" cx=${x(0)} cy=${y(values[0] ?? 0)} r="3" />` : null}
      ${slots.map((slot, index) => (index % nth === 0 ? html`<text key=${index} x=${x(index)} y=${HEIGHT - 5} text-anchor="middle">${slot.label}</text>` : null))}
      ${at === null ? null : html`<circle class="fill-1" cx=${x(at)} cy=${y(values[at] ?? 0)} r="3.5" />`}
    </svg>
    ${
      at === null
        ? null
        : html`<div class="tip" role="status" style=${{ left: `${Math.min(x(at) + 12, Math.max(0, width - 190))}px` }}>
      <strong>${format(values[at] ?? 0)}</strong><div class="faint">${slots[at]?.title}</div></div>`
    }
  </div>`;
}
