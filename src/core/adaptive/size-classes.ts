/** Output up to 2^15 tokens by powers of two, input up to 4^7 tokens by powers of four, and each of these in four parts. */
const OUTPUT_CLASSES = 16;
const INPUT_CLASSES = 8;
const PARTS = 4;
/** So many answers make a class known; what they say of its size counts in full, what later ones say for little. */
const SAMPLES_KNOWN = 4;
const FOLLOW = 1 / 200;
const RECENT = 16;
const SPREAD_RECENT = 50;

/**
 * How long requests of each size take at one pool, so that a long answer is not taken for a slow pool. What is usual is
 * set by the first answers of all; later ones only compare the classes with each other, or a pool that became slow would
 * soon be what is usual.
 */
export class SizeClasses {
  /** Known soon, but long prompts that come together would look like a slow pool. */
  private readonly coarse = new Means(OUTPUT_CLASSES * INPUT_CLASSES);
  private readonly fine = new Means(OUTPUT_CLASSES * INPUT_CLASSES * PARTS);
  /** Of late, over all classes. */
  private readonly recent = new Recent();

  /** Takes in one latency and answers what is usual for such a request; null while its class is not known. */
  usual(inputTokens: number, outputTokens: number, latencyMs: number): number | null {
    const at = partOf(inputTokens, outputTokens);
    const fineMs = this.fine.of(at);
    const usualMs = fineMs ?? this.coarse.of(Math.floor(at / PARTS));
    // What is usual for a class that is wider only tells how long its requests are.
    if (fineMs !== null) this.recent.add(latencyMs, fineMs);
    const ownMs = latencyMs / this.recent.slowdown;
    this.fine.add(at, ownMs);
    this.coarse.add(Math.floor(at / PARTS), ownMs);
    return usualMs;
  }

  /** Error of the slowdown of `count` answers, as a share of it, by how much single answers differ of late. */
  error(count: number): number {
    return Math.sqrt(this.recent.spread / count);
  }
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
