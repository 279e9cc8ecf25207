import type { VNode } from 'preact';
import type { EvalComparison } from '../../../../protocol/eval-comparison.ts';
import { formatCount } from '../../format.ts';
import { html } from '../../html.ts';
import { fillOf } from './fills.ts';

const BAR = 20;
const HEIGHT = 56;

/** How the scores of each target are spread. */
export function Histograms({ comparison }: { comparison: EvalComparison }): VNode {
  const { low, high } = comparison.score_range;
  return html`<div><h3>Scores</h3><ul class="histograms">${comparison.targets.map(
    ({ target, score_histogram }, index) => {
      const most = Math.max(...score_histogram, 1);
      const width = score_histogram.length * BAR;
      const label = `Scores of ${target} in tenths from ${low} to ${high}: ${score_histogram.join(', ')}`;
      return html`<li key=${target}><div class="small">${target}</div><div class="chart">
      <svg height=${HEIGHT + 18} viewBox=${`0 0 ${width} ${HEIGHT + 18}`} preserveAspectRatio="xMinYMid" role="img" aria-label=${label}>
        ${score_histogram.map((count, bin) => {
          const height = count === 0 ? 0 : Math.max(1, (count / most) * HEIGHT);
          return html`<rect key=${bin} class=${`fill-${fillOf(index)}`} x=${bin * BAR + 1} y=${HEIGHT - height} width=${BAR - 2} height=${height}><title>${formatCount(count)} items</title></rect>`;
        })}
        <line class="grid base" x1="0" x2=${width} y1=${HEIGHT} y2=${HEIGHT} />
        <text x="0" y=${HEIGHT + 14}>${low}</text><text x=${width} y=${HEIGHT + 14} text-anchor="end">${high}</text>
      </svg></div></li>`;
    },
  )}</ul></div>`;
}
