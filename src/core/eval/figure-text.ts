/** A difference of two shares in points of a hundred, with its sign: 0.1 → `+10.0`; `–` where there is none. */
export function pointsText(difference: number | null): string {
  if (difference === null) return '–';
  const text = (Math.abs(difference) * 100).toFixed(1);
  return `${Number(text) === 0 ? '' : difference > 0 ? '+' : '−'}${text}`;
}

/** A p-value; `–` where there is none. */
export function probabilityText(value: number | null): string {
  if (value === null) return '–';
  return value < 0.001 ? '< 0.001' : value.toFixed(3);
}
