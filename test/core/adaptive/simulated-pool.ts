import { AdaptiveLimit } from '../../../src/core/adaptive/adaptive-limit.ts';

interface Flight {
  startedMs: number;
  inFlight: number;
  serviceMs: number;
  outputTokens: number;
  inputTokens?: number;
  model?: string;
}

export interface PoolOptions {
  max: number;
  slots: number;
  /** Refuse what finds no slot, instead of letting it wait. */
  refuses?: boolean;
  /** Service time of one request at an idle server, its output tokens, and its input tokens, 100 by default. */
  request(unit: () => number): Pick<Flight, 'serviceMs' | 'outputTokens' | 'inputTokens' | 'model'>;
  /** How much slower each runs while so many do; 1 by default. */
  crowding?(running: number): number;
  /** Requests there are to send; unlimited by default. */
  demand?: number;
  seed?: number;
}

/** A pool with slots and a queue in virtual time, kept busy through an adaptive limit. */
export class SimulatedPool {
  readonly control: AdaptiveLimit;
  now = 0;
  slots: number;
  demand: number;
  answered = 0;
  refusals = 0;
  /** Of answers since the last `measure`. */
  private latencies: number[] = [];
  private readonly options: PoolOptions;
  private readonly unit: () => number;
  private readonly events: { at: number; flight: Flight; kind: 'done' | 'refused' }[] = [];
  private readonly queue: Flight[] = [];
  private running = 0;
  private inFlight = 0;

  constructor(options: PoolOptions) {
    this.options = options;
    this.slots = options.slots;
    this.demand = options.demand ?? Number.POSITIVE_INFINITY;
    this.control = new AdaptiveLimit(options.max);
    this.unit = random(options.seed ?? 1);
  }

  /** Lets `ms` of virtual time pass. */
  pass(ms: number): this {
    const until = this.now + ms;
    this.send();
    for (let event = this.events[0]; event && event.at <= until; event = this.events[0]) {
      this.pop();
      this.now = event.at;
      this.end(event.flight, event.kind);
      this.serve();
      this.send();
    }
    this.now = until;
    return this;
  }

  /** Lets `ms` pass in which it does nothing; what it has, it goes on with then. */
  stand(ms: number): this {
    for (const event of this.events) event.at += ms;
    this.now += ms;
    return this;
  }

  /** Answers a second, and their mean latency, in the next `ms`. */
  measure(ms: number): { perSecond: number; latencyMs: number; refusals: number } {
    this.latencies = [];
    const { answered, refusals } = this;
    this.pass(ms);
    const sum = this.latencies.reduce((total, latency) => total + latency, 0);
    return {
      perSecond: ((this.answered - answered) * 1000) / ms,
      latencyMs: sum / this.latencies.length,
      refusals: this.refusals - refusals,
    };
  }

  get load() {
    return { running: this.running, waiting: this.queue.length, cacheUsage: null };
  }

  get sent(): number {
    return this.inFlight;
  }

  private end(flight: Flight, kind: 'done' | 'refused'): void {
    this.inFlight -= 1;
    const { startedMs, inFlight, outputTokens, inputTokens = 100, model = 'm' } = flight;
    if (kind === 'refused') {
      this.refusals += 1;
      this.control.refused(inFlight, startedMs, this.now);
      return;
    }
    this.running -= 1;
    this.answered += 1;
    const latencyMs = this.now - startedMs;
    this.latencies.push(latencyMs);
    this.control.answered({ model, inputTokens, outputTokens, latencyMs, inFlight }, this.now);
  }

  private send(): void {
    while (this.inFlight < Math.min(this.control.limit, this.demand)) {
      this.inFlight += 1;
      const flight = { startedMs: this.now, inFlight: this.inFlight, ...this.options.request(this.unit) };
      if (this.options.refuses && this.running >= this.slots) this.push(this.now + 2, flight, 'refused');
      else this.queue.push(flight);
      this.serve();
    }
  }

  private serve(): void {
    while (this.running < this.slots) {
      const flight = this.queue.shift();
      if (!flight) return;
      this.running += 1;
      const crowding = this.options.crowding?.(this.running) ?? 1;
      this.push(this.now + flight.serviceMs * crowding, flight, 'done');
    }
  }

  private push(at: number, flight: Flight, kind: 'done' | 'refused'): void {
    const { events } = this;
    events.push({ at, flight, kind });
    for (let index = events.length - 1; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (events[parent]!.at <= events[index]!.at) break;
      [events[parent], events[index]] = [events[index]!, events[parent]!];
      index = parent;
    }
  }

  private pop(): void {
    const { events } = this;
    const last = events.pop()!;
    if (events.length === 0) return;
    events[0] = last;
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < events.length && events[child]!.at < events[least]!.at) least = child;
      }
      if (least === index) break;
      [events[least], events[index]] = [events[index]!, events[least]!];
      index = least;
    }
  }
}

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Log-normal with median 1. */
export function noisy(unit: () => number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit());
  return Math.exp(sigma * normal);
}
