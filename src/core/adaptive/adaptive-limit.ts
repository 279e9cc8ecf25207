/**
 * How many requests one server may hold at a time, found from what it does: nobody says what a pool can take, and a
 * server with a queue never answers 429.
 *
 *   learn ─▶ ramp ─▶ hold ◀─▶ up, down: looks at what more, or less, would do
 *                     ▲└─▶ shrunk: it became slow at the same load; was it for the load?
 *
 * A step from n1 to n2 requests in flight is judged by its elasticity, ln(s2 ÷ s1) ÷ ln(n2 ÷ n1), with s the slowdown
 * (latency against others of its size). 0: there was room. 1: the requests only wait for each other. A GPU that batches
 * lies between. Looking at steps instead of at latencies leaves slow pools, and pools that slow down a little, in peace.
 */
import { LatencyOfLate, SlowRun } from './latency.ts';
import { type Answered, elasticity, type Gauges, type Point } from './load.ts';
import { QueueGauge } from './queue-gauge.ts';
import { Refusals } from './refusals.ts';
import { SizeClasses } from './size-classes.ts';
import { Standstill } from './standstill.ts';
import { isSaving } from './waits.ts';
import { Window } from './window.ts';

const START = 8;
const SAMPLES_LEAST = 4;
/** Growth is worth it up to this elasticity, and less pays off from that on. */
const FLAT = 0.2;
const GROWS_UNTIL = 0.7;
const SHRINKS_FROM = 0.85;
const SLOWER = 1.3;
const PAUSE_MIN_MS = 3_000;
const PAUSE_MAX_MS = 10_000;
const RECHECK_MS = 30_000;
/** While somebody waits for answers, looks at what more would do come no sooner after each other, and are smaller. */
const STILL_MS = 60_000;
const STILL_UP = 1.3;
const STILL_GROWS_UNTIL = 0.5;
const UP = 1.4;
const DOWN = 0.6;

type Phase = 'learn' | 'ramp' | 'hold' | 'up' | 'down' | 'shrunk';

export class AdaptiveLimit {
  private current: number;
  private readonly max: number;
  private phase: Phase = 'learn';
  private readonly sizes = new SizeClasses();
  private readonly window = new Window();
  /** The last limit that proved right, and how the server did there. */
  private base: Point;
  /** In `shrunk`: where it was slow before the cut. */
  private slow: Point | null = null;
  /** Less load did not help, and it was given back: how slow it was then, and had been before. Holds `until` then. */
  private restored: { slow: number; slowdown: number; until: number } | null = null;
  private lowest = 1;
  private unverified = true; // Nothing less than `base` was ever tried.
  private changedAt = Number.NEGATIVE_INFINITY;
  private lookUpAt = 0;
  private lookedUpAt = Number.NEGATIVE_INFINITY;
  private lookDownAt = 0;
  private pauseMs = PAUSE_MIN_MS;
  private factor = UP;
  /** Answers before this tell of an earlier load: quick ones come first, and would make a new limit look good. */
  private settledAt = Number.NEGATIVE_INFINITY;
  private readonly latency = new LatencyOfLate();
  private readonly run = new SlowRun();
  private readonly standstill = new Standstill();
  private readonly refusals = new Refusals();
  private readonly queue = new QueueGauge();
  private cacheFull = false;
  /** Somebody waits for answers, which looks at what more would do make late: they are rare, or what was lost never came back. */
  still = false;
  /** `base` was measured where the limit is. */
  private armed = false;

  /** `max`: the operator's bound. */
  constructor(max: number) {
    this.max = max;
    this.current = Math.min(START, max);
    this.base = { limit: this.current, inFlight: this.current, slowdown: 1 };
  }

  get limit(): number {
    return this.current;
  }

  answered({ model, inputTokens, outputTokens, latencyMs, inFlight }: Answered, nowMs: number): void {
    if (this.standstill.spans(latencyMs, this.latency.longMs, nowMs)) return;
    const usualMs = this.sizes.usual(model, { inputTokens, outputTokens, latencyMs });
    this.latency.add(latencyMs);
    if (!this.counts(inFlight)) return;
    if (usualMs === null || nowMs < this.settledAt) {
      this.window.passed += 1;
      return;
    }
    this.window.add(latencyMs, usualMs, inFlight);
    // In a ramp the next look tells anyway, and where `base` was not measured nothing is known to be slow.
    const watched = this.armed && !this.growing;
    if (watched && this.run.add(latencyMs, usualMs, this.base.slowdown, inFlight)) this.shrink(nowMs);
    else this.judgeWhenReady(nowMs);
  }

  /** A request was refused for load (429, 503) or got no answer in time. */
  refused(inFlight: number, startedMs: number, nowMs: number): void {
    if (startedMs < this.changedAt || !this.counts(inFlight)) return;
    this.window.fail(inFlight);
    this.judgeWhenReady(nowMs);
  }

  /** Only what went beyond the last limit tells whether there is room beyond it. */
  private counts(inFlight: number): boolean {
    if (inFlight > this.current) return false;
    return (this.phase !== 'ramp' && this.phase !== 'up') || inFlight > this.base.limit;
  }

  /** Takes in the server's own figures; `inFlight`: our requests there. */
  observed({ waiting, running, cacheUsage }: Gauges, inFlight: number, nowMs: number): void {
    this.cacheFull = (cacheUsage ?? 0) > 0.95;
    // What was started a moment ago, or is about to end after a cut, has not settled.
    if (waiting === null || nowMs - this.changedAt < 1_000) return;
    if (this.queue.waits(waiting, running, this.current, nowMs)) {
      const limit = Math.max(1, Math.min(this.current, inFlight) - waiting);
      this.hold({ limit, inFlight: limit, slowdown: this.base.slowdown }, nowMs);
    } else if (waiting === 0 && !this.cacheFull && inFlight >= this.current && this.growing) {
      // Long answers: no need to wait for the first ones when the server says that it has room.
      this.change(this.current * 2, nowMs);
    }
  }

  /** Some answers alike do not make a quiet server. */
  private get error(): number {
    return Math.max(this.window.relativeError, this.sizes.error(this.window.count));
  }

  private get mayLookUpAt(): number {
    if (!this.still) return this.lookUpAt;
    return Math.max(this.lookUpAt, this.lookedUpAt + Math.max(STILL_MS, 20 * this.latency.meanMs));
  }

  private get growing(): boolean {
    return this.phase === 'learn' || this.phase === 'ramp';
  }

  private judgeWhenReady(nowMs: number): void {
    const { window } = this;
    const seen = window.count + window.failures;
    if (seen < Math.max(SAMPLES_LEAST, this.current / 2)) return;
    if (this.refusals.tooMany(window)) {
      const limit = this.refusals.giveWay(window, this.current);
      this.hold({ limit, inFlight: limit, slowdown: this.base.slowdown }, nowMs);
      return;
    }
    // A small step needs many answers to be told from noise.
    const from = this.phase === 'shrunk' && this.slow ? this.slow : this.base;
    const step = Math.abs(Math.log(window.meanInFlight / from.inFlight));
    const error = this.phase === 'hold' || this.phase === 'learn' ? 0.15 : Math.max(0.2 * step, 0.02);
    if (this.error > error && window.count < 4 * this.current + 64) return;
    this.refusals.passed(window);
    if (window.count > 0) this.judge(nowMs);
    this.window.clear();
  }

  private judge(nowMs: number): void {
    const { window } = this;
    const here: Point = { limit: this.current, inFlight: window.meanInFlight, slowdown: window.slowdown };
    if (this.phase === 'learn') {
      this.base = here;
      this.lowest = here.slowdown;
      this.grow(2, 'ramp', nowMs);
    } else if (this.phase === 'ramp' || this.phase === 'up') this.judgeGrowth(here, nowMs);
    else if (this.phase === 'down') this.judgeLess(here, nowMs);
    else if (this.phase === 'shrunk') this.judgeShrink(here, nowMs);
    else this.watch(here, nowMs);
  }

  private judgeGrowth(here: Point, nowMs: number): void {
    // Too little work to fill what was added: that proves nothing.
    if (here.inFlight < this.base.inFlight * 1.1) return;
    const waits = elasticity(this.base, here);
    const until = this.still && this.phase === 'up' ? STILL_GROWS_UNTIL : GROWS_UNTIL;
    if (waits < until || !this.window.waited(here, this.base)) {
      // No wait up to the limit itself, though not all were sent with so many before them.
      this.base = waits < FLAT ? { ...here, inFlight: this.current } : here;
      this.unverified = false;
      this.lowest = Math.min(this.lowest, here.slowdown);
      this.pauseMs = PAUSE_MIN_MS;
      this.factor = this.still ? UP : Math.min(2, this.factor * UP);
      if (this.phase === 'ramp') this.grow(2, 'ramp', nowMs);
      else this.grow(this.factor, 'up', nowMs);
      return;
    }
    // What requests only waited for is too much: the rest is what the server can do.
    const able = (here.inFlight * this.base.slowdown) / here.slowdown;
    const limit = Math.round(Math.min(this.current, Math.max(this.base.limit, able)));
    if (this.phase === 'ramp') this.lookDownAt = nowMs;
    this.hold({ ...this.base, limit }, nowMs);
  }

  private judgeLess(here: Point, nowMs: number): void {
    const { base } = this;
    this.lowest = Math.min(this.lowest, here.slowdown);
    this.unverified = false;
    const { meanLatencyMs, meanUsualMs } = this.window;
    const helps = isSaving(meanLatencyMs * (base.slowdown / here.slowdown - 1), meanUsualMs);
    if (elasticity(here, base) >= SHRINKS_FROM && helps) {
      this.base = here;
      if (this.current > 1) this.change(this.current * DOWN, nowMs);
      else this.hold(here, nowMs);
      return;
    }
    this.lookDownAt = nowMs + Math.max(RECHECK_MS, 30 * this.latency.meanMs);
    // No wait here, some there: what is able without waiting lies between.
    const able = Math.round((base.inFlight * here.slowdown * 1.03) / base.slowdown);
    const isBetween = here.slowdown <= 1.1 * this.lowest && able < 0.92 * base.limit && helps;
    this.hold(isBetween ? { limit: able, inFlight: able, slowdown: here.slowdown } : base, nowMs);
  }

  /** Less load: did it help? If not, the requests themselves are slower now, and less load would only cost throughput. */
  private judgeShrink(here: Point, nowMs: number): void {
    const { slow, base } = this;
    // Slower with fewer: its queue was still growing when `slow` was measured, which therefore says too little.
    const isWorse = slow !== null && here.slowdown > 1.1 * slow.slowdown;
    if (slow && !isWorse && here.inFlight < 0.9 * slow.inFlight && elasticity(here, slow) < 0.4) {
      this.lowest = here.slowdown;
      this.unverified = true;
      this.lookDownAt = nowMs + RECHECK_MS;
      this.restored = { slow: slow.slowdown, slowdown: base.slowdown, until: nowMs + 8 * this.latency.longMs };
      this.hold({ ...slow, slowdown: here.slowdown }, nowMs);
      return;
    }
    if (this.isSlow(here)) {
      this.cut(here, nowMs);
      return;
    }
    this.pauseMs = PAUSE_MIN_MS;
    this.lookDownAt = nowMs;
    this.hold({ ...here, slowdown: Math.max(here.slowdown, base.slowdown) }, nowMs);
  }

  private watch(here: Point, nowMs: number): void {
    if (!this.armed) {
      // What it was while the limit moved says little: this is how it is here.
      this.armed = true;
      if (here.slowdown > SLOWER * this.base.slowdown) this.lookDownAt = nowMs;
      this.base = here;
      return;
    }
    if (this.isSlow(here)) {
      this.cut(here, nowMs);
      return;
    }
    if (here.inFlight < 0.7 * this.current) return;
    if (this.queue.stands && here.slowdown <= SLOWER * Math.max(1, this.lowest)) {
      this.queue.doubt();
      this.base = here;
      this.grow(2, 'ramp', nowMs);
      return;
    }
    const { base } = this;
    this.base = { ...here, slowdown: base.slowdown + 0.2 * (here.slowdown - base.slowdown) };
    const mayBeLess = this.unverified || this.window.isCrowded(this.base, this.lowest, this.error);
    if (mayBeLess && nowMs >= this.lookDownAt && this.current > 1) {
      this.phase = 'down';
      this.change(this.current * DOWN, nowMs);
    } else if (nowMs >= this.mayLookUpAt && this.current < this.max && !this.cacheFull) {
      this.grow(this.still ? STILL_UP : this.factor, 'up', nowMs);
    }
  }

  private isSlow(here: Point): boolean {
    const { error } = this;
    return here.slowdown > this.base.slowdown * SLOWER * (1 + 2 * error) && this.window.waited(here, this.base);
  }

  private shrink(nowMs: number): void {
    if (this.phase === 'up') {
      // Most likely the look itself: if not, it shows again at the old limit.
      this.hold(this.base, nowMs);
      return;
    }
    const { meanInFlight, slowdown } = this.run.answers;
    this.cut({ limit: this.current, inFlight: meanInFlight, slowdown }, nowMs);
  }

  /** Down to what the server still does at once, as far as its slowdown tells. */
  private cut(here: Point, nowMs: number): void {
    const { restored } = this;
    // Its queue was still growing when it was called slow: what it was before that is what counts.
    if (restored && nowMs < restored.until && here.slowdown > 1.2 * restored.slow) {
      this.base = { ...this.base, slowdown: restored.slowdown };
    }
    this.restored = null;
    this.slow = here;
    this.phase = 'shrunk';
    this.lookedUpAt = Number.NEGATIVE_INFINITY; // It may be over soon.
    this.change(Math.min(this.current - 1, (1.05 * here.inFlight * this.base.slowdown) / here.slowdown), nowMs);
  }

  private hold(point: Point, nowMs: number): void {
    this.armed &&= point.limit === this.base.limit;
    this.base = point;
    this.phase = 'hold';
    this.factor = UP;
    this.lookUpAt = nowMs + Math.max(this.pauseMs, this.latency.meanMs);
    this.pauseMs = Math.min(2 * this.pauseMs, Math.max(PAUSE_MAX_MS, 10 * this.latency.meanMs));
    this.change(point.limit, nowMs);
  }

  private grow(factor: number, phase: 'ramp' | 'up', nowMs: number): void {
    this.phase = this.current >= this.max ? 'hold' : phase;
    if (this.phase !== phase) return;
    if (phase === 'up') this.lookedUpAt = nowMs;
    this.change(Math.ceil(this.current * factor), nowMs);
  }

  private change(limit: number, nowMs: number): void {
    this.current = Math.max(1, Math.min(this.max, Math.round(limit)));
    this.changedAt = nowMs;
    this.settledAt = nowMs + 0.98 * (this.growing ? this.latency.meanMs : this.latency.longMs);
    this.window.clear();
    this.run.clear();
  }
}
