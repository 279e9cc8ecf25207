import type { Answered } from './load.ts';

/** Output up to 2^15 tokens by powers of two, input up to 4^7 tokens by powers of four, and each of these in four parts. */
const OUTPUT_CLASSES = 16;
const INPUT_CLASSES = 8;
const PARTS = 4;
/** So many answers make a class known; what they say of its size counts in full, what later ones say for little. */
const SAMPLES_KNOWN = 4;
const FOLLOW = 1 / 200;
const RECENT = 16;
const SPREAD_RECENT = 50;
/** So many models have classes of their own; more of them share theirs. */
const MODELS_MAX = 32;

/**
 * How long requests of each model and size take at one pool, so that a long answer, or one of a slow model, is not taken for
 * a slow pool. What is usual is set by the first answers of all; later ones only compare the classes with each other, or a
 * pool that became slow would soon be what is usual.
 */
export class SizeClasses {
  private readonly models = new Map<string, ModelClasses>();
  /** Of late, over all classes. */
  private readonly recent = new Recent();

  /** Takes in one latency and answers what is usual for such a request; null while its class is not known. */
  usual(model: string, { inputTokens, outputTokens, latencyMs }: Omit<Answered, 'model' | 'inFlight'>): number | null {
    const { coarse, fine } = this.classesOf(model);
    const at = partOf(inputTokens, outputTokens);
    const fineMs = fine.of(at);
    const usualMs = fineMs ?? coarse.of(Math.floor(at / PARTS));
    // What is usual for a class that is wider only tells how long its requests are.
    if (fineMs !== null) this.recent.add(latencyMs, fineMs);
    const ownMs = latencyMs / this.recent.slowdown;
    fine.add(at, ownMs);
    coarse.add(Math.floor(at / PARTS), ownMs);
    return usualMs;
  }

  private classesOf(model: string): ModelClasses {
    const name = this.models.has(model) || this.models.size < MODELS_MAX ? model : '';
    const known = this.models.get(name);
    if (known !== undefined) return known;
    const classes = {
      coarse: new Means(OUTPUT_CLASSES * INPUT_CLASSES),
      fine: new Means(OUTPUT_CLASSES * INPUT_CLASSES * PARTS),
    };
    this.models.set(name, classes);
    return classes;
  }

  /** Error of the slowdown of `count` answers, as a share of it, by how much single answers differ of late. */
  error(count: number): number {
    return Math.sqrt(this.recent.spread / count);
  }
}

interface ModelClasses {
  /** Known soon, but long prompts that come together would look like a slow pool. */
  coarse: Means;
  fine: Means;
}

/** What requests take, by class. */
class Means {
  private readonly means: Float64Array;
  private readonly counts: Uint8Array;

  constructor(classes: number) {
    this.means = new Float64Array(classes);
    this.counts = new Uint8Array(classes);
  }

  /** null while it is not known. */
  of(at: number): number | null {
    return (this.counts[at] ?? 0) < SAMPLES_KNOWN ? null : (this.means[at] ?? null);
  }

  add(at: number, ms: number): void {
    const count = this.counts[at] ?? 0;
    const mean = this.means[at] ?? 0;
    if (count < SAMPLES_KNOWN) this.counts[at] = count + 1;
    this.means[at] = Math.max(0.01, mean + (ms - mean) * (count < SAMPLES_KNOWN ? 1 / (count + 1) : FOLLOW));
  }
}

/** The slowdown of late, and how single answers differ from it. */
class Recent {
  spread = 0;
  private latency = 1;
  private usual = 1;

  get slowdown(): number {
    return this.latency / this.usual;
  }

  add(latencyMs: number, usualMs: number): void {
    if (this.latency === 1 && this.usual === 1) {
      this.latency = usualMs;
      this.usual = usualMs;
    }
    this.latency += (latencyMs - this.latency) / RECENT;
    this.usual += (usualMs - this.usual) / RECENT;
    const surprise = (latencyMs - this.slowdown * usualMs) / this.latency;
    this.spread += (surprise * surprise - this.spread) / SPREAD_RECENT;
  }
}

/** Parts of one class stand together. */
function partOf(inputTokens: number, outputTokens: number): number {
  const output = Math.min(OUTPUT_CLASSES - 1, Math.floor(Math.log2(outputTokens + 1)));
  const input = Math.min(INPUT_CLASSES * PARTS - 1, Math.floor((Math.log2(inputTokens + 1) * PARTS) / 2));
  return output * INPUT_CLASSES * PARTS + input;
}
