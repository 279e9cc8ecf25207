/** Output up to 2^15 tokens by powers of two, input up to 4^7 tokens by powers of four. */
const OUTPUT_CLASSES = 16;
const INPUT_CLASSES = 8;
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
  private readonly means = new Float64Array(OUTPUT_CLASSES * INPUT_CLASSES);
  private readonly counts = new Uint8Array(OUTPUT_CLASSES * INPUT_CLASSES);
  /** Of late, over all classes. */
  private readonly recent = new Recent();

  /** Takes in one latency and answers what is usual for such a request; null while its class is not known. */
  usual(inputTokens: number, outputTokens: number, latencyMs: number): number | null {
    const at = classOf(inputTokens, outputTokens);
    const count = this.counts[at] ?? 0;
    const mean = this.means[at] ?? 0;
    if (count < SAMPLES_KNOWN) {
      this.counts[at] = count + 1;
      this.means[at] = Math.max(0.01, mean + (latencyMs / this.recent.slowdown - mean) / (count + 1));
      return null;
    }
    this.recent.add(latencyMs, mean);
    this.means[at] = Math.max(0.01, mean + FOLLOW * (latencyMs / this.recent.slowdown - mean));
    return mean;
  }

  /** Error of the slowdown of `count` answers, as a share of it, by how much single answers differ of late. */
  error(count: number): number {
    return Math.sqrt(this.recent.spread / count);
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

function classOf(inputTokens: number, outputTokens: number): number {
  const output = Math.min(OUTPUT_CLASSES - 1, Math.floor(Math.log2(outputTokens + 1)));
  const input = Math.min(INPUT_CLASSES - 1, Math.floor(Math.log2(inputTokens + 1) / 2));
  return output * INPUT_CLASSES + input;
}
