import type { VNode } from 'preact';
import type { EvalComparison, EvalTargetFigures } from '../../../../protocol/eval-comparison.ts';
import { percent, roundUsd, shortUsd } from '../../format.ts';
import { html } from '../../html.ts';
import { ticks } from '../../parts/axis.ts';
import { useWidth } from '../../parts/measure.ts';
import { fillOf } from './fills.ts';

const HEIGHT = 240;
const TOP = 10;
const BOTTOM = 38;
const LEFT = 44;
const RIGHT = 16;

interface Point {
  figures: EvalTargetFigures;
  fill: string;
  cost: number;
  quality: number;
}

/** Pass rate over cost per item, with the line of those that nobody beats. */
export function Frontier({ comparison }: { comparison: EvalComparison }): VNode {
  const { ref, width } = useWidth<HTMLDivElement>();
  const points = comparison.targets.flatMap((figures, index): Point[] =>
    figures.cost.per_item_nano_usd === null || figures.pass_rate.value === null
      ? []
      : [{ figures, fill: fillOf(index), cost: figures.cost.per_item_nano_usd, quality: figures.pass_rate.value }],
  );
  const marks = ticks(Math.max(...points.map(({ cost }) => cost), 0), 3);
  const most = marks.at(-1) || 1;
  const x = (cost: number) => LEFT + (cost / most) * Math.max(0, width - LEFT - RIGHT);
  const y = (rate: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - rate);
  const line = comparison.frontier.flatMap((name) => points.find(({ figures }) => figures.target === name) ?? []);
  const words = points.map(
    ({ figures, cost, quality }) => `${figures.target} ${percent(quality)} for ${shortUsd(cost)}`,
  );
  return html`<div><h3>Quality and cost</h3>
    ${points.length === 0 ? html`<p class="small faint">No target has both a price and a grade.</p>` : null}
    <div class="chart" ref=${ref}>${
      points.length === 0
        ? null
        : html`<svg height=${HEIGHT} viewBox=${`0 0 ${width} ${HEIGHT}`} role="img" aria-label=${`Pass rate and cost per item: ${words.join(', ')}`}>
      ${[0, 0.5, 1].map(
        (
          mark,
        ) => html`<g key=${mark}><line class=${mark === 0 ? 'grid base' : 'grid'} x1=${LEFT} x2=${width} y1=${y(mark)} y2=${y(mark)} />
        <text x=${LEFT - 8} y=${y(mark) + 4} text-anchor="end">${percent(mark)}</text></g>`,
      )}
      ${marks.map((mark, index) => html`<text key=${mark} x=${x(mark)} y=${HEIGHT - 22} text-anchor=${index === marks.length - 1 ? 'end' : 'middle'}>${roundUsd(mark)}</text>`)}
      <text x=${width} y=${HEIGHT - 6} text-anchor="end">cost per item</text>
      <polyline class="line" points=${line.map((point) => `${x(point.cost)},${y(point.quality)}`).join(' ')} />
      ${points.map(({ figures, fill, cost, quality }) => {
        const isRight = x(cost) > width * 0.6;
        return html`<g key=${figures.target}><circle class=${`fill-${fill}`} cx=${x(cost)} cy=${y(quality)} r="5" />
          <text class="name" x=${x(cost) + (isRight ? -9 : 9)} y=${y(quality) + (quality < 0.1 ? -9 : 15)} text-anchor=${isRight ? 'end' : 'start'}>${shortName(figures.target)}</text></g>`;
      })}
    </svg>`
    }</div></div>`;
}

const NAME_SHOWN = 24;

function shortName(name: string): string {
  return name.length <= NAME_SHOWN ? name : `${name.slice(0, NAME_SHOWN - 1)}…`;
}
