import { FAULT_RATES, type Fault, FINISH_RATES, type ForcedFinish, type Settings } from './settings.ts';

/** Decides what goes wrong with each request. */
export interface FaultPlan {
  /** The fault of the `number`th request (from 1), or null. Draws once from `random` if any fault rate is set. */
  faultOf(number: number, rawBody: Buffer, random: () => number): Fault | null;
  /** The finish reason forced on an answer, or null. Draws once if any such rate is set. */
  forcedFinish(random: () => number): ForcedFinish | null;
}

type Step<Outcome> = readonly [upTo: number, outcome: Outcome];

/** The plan of some settings: poison first, then the failing window, then the rates. */
export function planFaults(settings: Settings): FaultPlan {
  const faults = steps<Fault>(FAULT_RATES.map(([name, fault]) => [settings[name], fault]));
  const finishes = steps<ForcedFinish>(FINISH_RATES.map(([name, finish]) => [settings[name], finish]));
  const { poison, fail_with: failWith } = settings;
  const windowed = settings.fail_after !== null || settings.fail_until !== null;
  const after = settings.fail_after ?? 0;
  const until = settings.fail_until ?? Number.POSITIVE_INFINITY;
  return {
    faultOf(number, rawBody, random) {
      for (const entry of poison) {
        if (rawBody.includes(entry.contains)) return entry.fail_with;
      }
      if (windowed && number > after && number <= until) return failWith;
      return faults.length === 0 ? null : draw(faults, random);
    },
    forcedFinish: (random) => (finishes.length === 0 ? null : draw(finishes, random)),
  };
}

function steps<Outcome>(rates: (readonly [rate: number, outcome: Outcome])[]): Step<Outcome>[] {
  let upTo = 0;
  return rates
    .filter(([rate]) => rate > 0)
    .map(([rate, outcome]) => {
      upTo += rate;
      return [upTo, outcome];
    });
}

function draw<Outcome>(table: Step<Outcome>[], random: () => number): Outcome | null {
  const drawn = random();
  return table.find(([upTo]) => drawn < upTo)?.[1] ?? null;
}

/** The headers that tell a refused client when to come back, as flat name–value pairs; `now` is in milliseconds. */
export function retryAfterHeaders(settings: Settings, now: number): string[] {
  const seconds = settings.retry_after_seconds;
  switch (settings.retry_after) {
    case 'absent':
      return [];
    case 'seconds':
      return ['retry-after', String(seconds)];
    case 'http_date':
      return ['retry-after', new Date(now + seconds * 1000).toUTCString()];
    case 'milliseconds':
      return ['retry-after-ms', String(Math.round(seconds * 1000))];
    case 'negative':
      return ['retry-after', '-5'];
    case 'huge':
      return ['retry-after', '1000000000'];
  }
}

/** How many milliseconds an answer of so many tokens takes. */
export function latencyOf(latency: Settings['latency_ms'], tokens: number, random: () => number): number {
  if (typeof latency === 'number') return latency;
  if ('min' in latency) return latency.min + (latency.max - latency.min) * random();
  return latency.base + latency.per_token * tokens;
}

/** A 200 body that no client can read as the answer. */
export function unreadableBody(
  kind: Settings['bad_json'],
  answer: string,
  random: () => number,
): { type: string; body: string } {
  const kinds = ['html', 'truncated', 'empty'] as const;
  const chosen = kind === 'any' ? (kinds[Math.floor(random() * kinds.length)] ?? 'empty') : kind;
  switch (chosen) {
    case 'html':
      return { type: 'text/html', body: '<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>' };
    case 'truncated':
      return { type: 'application/json', body: answer.slice(0, Math.floor(answer.length / 2)) };
    case 'empty':
      return { type: 'application/json', body: '' };
  }
}
