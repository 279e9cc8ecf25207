const WINDOW_SECONDS = 86_400;
const WAIT_SECONDS_LEAST = 5;
const WAIT_SECONDS_MOST = 2 * 3_600;

/**
 * When a delivery that failed is tried again, in Unix seconds; null when its time is over. Waits grow with its age: tries
 * come after 5 s, 10 s, 20 s and so on, then every two hours until a day after `firstAt`. `unit` is uniform in [0, 1).
 */
export function nextDeliveryAt({ firstAt, now, unit }: { firstAt: number; now: number; unit: number }): number | null {
  const age = Math.max(0, now - firstAt);
  const wait = Math.min(Math.max(age, WAIT_SECONDS_LEAST), WAIT_SECONDS_MOST);
  const next = now + Math.ceil(wait * (1 + unit / 5));
  return next - firstAt > WINDOW_SECONDS ? null : next;
}
