/** Round numbers from 0 to at least `max`, about `count` of them. */
export function ticks(max: number, count: number): number[] {
  if (!(max > 0)) return [0];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const values = Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, index) => index * step);
  return values.map((value) => Number(value.toPrecision(12)));
}

/** Which of `count` labels to show where each needs `needed` pixels of `width`. */
export function everyNth(count: number, width: number, needed: number): number {
  return Math.max(1, Math.ceil((count * needed) / Math.max(1, width)));
}
