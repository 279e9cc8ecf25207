const UNITS = { m: 60, h: 3_600, d: 86_400 } as const;
const WINDOW_SECONDS_MAX = 30 * 86_400;

/**
 * Seconds of a completion window: `immediate`, or a whole number of minutes, hours or days up to 30 days.
 * null when it does not parse.
 */
export function windowSeconds(window: string, immediateSeconds: number): number | null {
  return window === 'immediate' ? immediateSeconds : durationSeconds(window);
}

/** Seconds of a whole number of minutes, hours or days up to 30 days (`90m`, `20h`); null when it does not parse. */
export function durationSeconds(text: string): number | null {
  const match = /^([1-9]\d{0,5})([mhd])$/.exec(text);
  if (!match) return null;
  const seconds = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  return seconds <= WINDOW_SECONDS_MAX ? seconds : null;
}
