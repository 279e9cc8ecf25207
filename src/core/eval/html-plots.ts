import type { EvalComparison, EvalTargetFigures } from '../../protocol/eval-comparison.ts';
import { formatUsd } from '../money.ts';
import { html, type Markup } from './html-text.ts';

const WIDTH = 640;
const HEIGHT = 260;
const LEFT = 52;
const BOTTOM = 40;
const TOP = 16;
const RIGHT = 120;

interface Point {
  figures: EvalTargetFigures;
  cost: number;
  quality: number;
}

/** Pass rate over cost per item, with the line of those that nobody beats. */
export function frontierPlot({ targets, frontier }: EvalComparison): Markup {
  const points: Point[] = targets.flatMap((figures) =>
    figures.cost.per_item_nano_usd === null || figures.pass_rate.value === null
      ? []
      : [{ figures, cost: figures.cost.per_item_nano_usd, quality: figures.pass_rate.value }],
  );
  const left = targets.length - points.length;
  const note = left === 0 ? null : html`<p class="soft">${left} without a known price or grade.</p>`;
  if (points.length === 0) return html`<p class="soft">No target has both a price and a grade.</p>`;
  const most = Math.max(...points.map(({ cost }) => cost), 1);
  const x = (cost: number): number => Math.round(LEFT + (cost / most) * (WIDTH - LEFT - RIGHT));
  const y = (quality: number): number => Math.round(TOP + (1 - quality) * (HEIGHT - TOP - BOTTOM));
  const line = frontier.flatMap((name) => points.find(({ figures }) => figures.target === name) ?? []);
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Pass rate over cost per item">
${[0, 0.25, 0.5, 0.75, 1].map(
  (mark) =>
    html`<line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(mark)}" y2="${y(mark)}"/><text x="${LEFT - 8}" y="${y(mark) + 4}" text-anchor="end">${mark * 100} %</text>`,
)}
<text x="${LEFT}" y="${HEIGHT - 20}" text-anchor="middle">$0</text><text x="${WIDTH - RIGHT}" y="${HEIGHT - 20}" text-anchor="middle">$${formatUsd(most)}</text>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">USD an item</text>
<polyline class="frontier" points="${line.map(({ cost, quality }) => `${x(cost)},${y(quality)}`).join(' ')}"/>
${points.map(
  ({ figures, cost, quality }) =>
    html`<circle class="${figures.on_frontier ? 'point on' : 'point'}" cx="${x(cost)}" cy="${y(quality)}" r="5"/><text class="name" x="${x(cost) + 9}" y="${y(quality) + 4}">${figures.target}</text>`,
)}
</svg>${note}`;
}

const BAR = 24;
const BARS_HEIGHT = 90;

/** How a target's scores are spread. */
export function histogram(
  { target, score_histogram }: Pick<EvalTargetFigures, 'target' | 'score_histogram'>,
  { low, high }: EvalComparison['score_range'],
): Markup {
  const most = Math.max(...score_histogram, 1);
  const width = score_histogram.length * BAR;
  const scored = score_histogram.reduce((sum, count) => sum + count, 0);
  return html`<figure><figcaption>${target} <span class="soft">${scored} scored</span></figcaption>
<svg class="bars" viewBox="0 0 ${width} ${BARS_HEIGHT + 18}" role="img" aria-label="Scores of ${target} in tenths from ${low} to ${high}: ${score_histogram.join(', ')}">
${score_histogram.map((count, index) => {
  const height = Math.round((count / most) * BARS_HEIGHT);
  return html`<rect x="${index * BAR + 2}" y="${BARS_HEIGHT - height}" width="${BAR - 4}" height="${height}"/>`;
})}
<line class="rule" x1="0" x2="${width}" y1="${BARS_HEIGHT}" y2="${BARS_HEIGHT}"/><text x="0" y="${BARS_HEIGHT + 14}">${low}</text><text x="${width}" y="${BARS_HEIGHT + 14}" text-anchor="end">${high}</text>
</svg></figure>`;
}
