import type { VNode } from 'preact';
import type { EvalRunObject } from '../../../../protocol/eval-run.ts';
import { percent, shortTime } from '../../format.ts';
import { html } from '../../html.ts';
import { everyNth } from '../../parts/axis.ts';
import { useWidth } from '../../parts/measure.ts';
import { Legend } from '../../parts/stack-chart.ts';
import { fillOf } from './fills.ts';
import { passRateOf } from './runs.ts';

const HEIGHT = 180;
const TOP = 8;
const BOTTOM = 22;
const LEFT = 44;
const LABEL = 96;
const TARGETS_SHOWN = 6;

interface Line {
  name: string;
  fill: string;
  /** One for each run, the oldest first; null where the run has no such target. */
  rates: (number | null)[];
}

/** The pass rate of each target from run to run; the table below has the same figures. */
export function Regression({ runs }: { runs: readonly EvalRunObject[] }): VNode {
  const { ref, width } = useWidth<HTMLDivElement>();
  const ordered = runs.toReversed();
  const lines = linesOf(ordered);
  const step = Math.max(0, width - LEFT) / Math.max(1, ordered.length);
  const x = (index: number) => LEFT + (index + 0.5) * step;
  const y = (rate: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - rate);
  const nth = everyNth(ordered.length, width - LEFT, LABEL);
  const words = lines.map(
    ({ name, rates }) => `${name} ${rates.map((rate) => (rate === null ? 'none' : percent(rate))).join(', ')}`,
  );
  return html`<section class="section" aria-labelledby="regression">
    <div class="section-head"><h2 id="regression">Pass rate over time</h2></div>
    <div class="chart" ref=${ref}>
      <svg height=${HEIGHT} viewBox=${`0 0 ${width} ${HEIGHT}`} role="img" aria-label=${`Pass rate from the oldest run to the newest: ${words.join('; ')}`}>
        ${[0, 0.5, 1].map(
          (
            mark,
          ) => html`<g key=${mark}><line class=${mark === 0 ? 'grid base' : 'grid'} x1=${LEFT} x2=${width} y1=${y(mark)} y2=${y(mark)} />
          <text x=${LEFT - 8} y=${y(mark) + 4} text-anchor="end">${percent(mark)}</text></g>`,
        )}
        ${lines.map(({ name, fill, rates }) => {
          const points = rates.flatMap((rate, index) => (rate === null ? [] : [{ x: x(index), y: y(rate) }]));
          return html`<g key=${name}>
            <polyline class=${`line stroke-${fill}`} points=${points.map((point) => `${point.x.toFixed(1)},${point.y.toFixed(1)}`).join(' ')} />
            ${points.map((point) => html`<circle key=${point.x} class=${`fill-${fill}`} cx=${point.x} cy=${point.y} r="3" />`)}</g>`;
        })}
        ${ordered.map((run, index) => (index % nth === 0 ? html`<text key=${run.id} x=${x(index)} y=${HEIGHT - 5} text-anchor="middle">${shortTime(run.created_at)}</text>` : null))}
      </svg>
      <${Legend} items=${lines.map(({ name, fill, rates }) => ({ name, fill, value: lastOf(rates) }))} />
    </div>
  </section>`;
}

/** The targets of the newest runs first, as many as can be told apart. */
function linesOf(ordered: readonly EvalRunObject[]): Line[] {
  const names = [...new Set(ordered.toReversed().flatMap(({ targets }) => targets.map(({ name }) => name)))];
  return names.slice(0, TARGETS_SHOWN).map((name, index) => ({
    name,
    fill: fillOf(index),
    rates: ordered.map(({ targets }) => {
      const target = targets.find((each) => each.name === name);
      return target === undefined ? null : passRateOf(target);
    }),
  }));
}

function lastOf(rates: readonly (number | null)[]): string {
  const rate = rates.findLast((each) => each !== null) ?? null;
  return rate === null ? '–' : percent(rate);
}
