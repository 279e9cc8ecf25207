/**
 * Turning OpenAI lines into each provider's native batch lines, beside what an upload does with the same lines (check,
 * plan, duplicate ids, sha-256). Both from memory, in one process.
 *
 *   node test/bench/conversion.ts
 */
import { createHash } from 'node:crypto';
import { IdHash } from '../../src/core/id-hash.ts';
import { FrameReader } from '../../src/core/request-frame.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { findProvider } from '../../src/runtime/cli/convert/find-provider.ts';
import { PlanBuilder } from '../../src/services/files/plan-builder.ts';
import { LineConverter } from '../../src/services/shards/line-converter.ts';
import { layLine } from '../../src/services/shards/native-input.ts';
import { figure, type GoalRow, report } from './goals.ts';
import { median } from './table.ts';

const LINES = 20_000;
const ROUNDS = 5;
const WANTED = 0.4;
const TARGETS = [
  ['openai', 'gpt-4.1-mini'],
  ['azure', 'gpt-4o-mini'],
  ['bedrock', 'us.amazon.nova-lite-v1:0'],
  ['bedrock', 'global.anthropic.claude-sonnet-4-6'],
  ['vertex', 'gemini-2.5-flash'],
  ['anthropic', 'claude-haiku-4-5'],
] as const;

const lines = Array.from({ length: LINES }, (_, index) => {
  const content = `${'word '.repeat(180)}${index}`;
  const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content }], max_tokens: 256, temperature: 0.2 };
  return Buffer.from(
    JSON.stringify({ custom_id: `request-${index}`, method: 'POST', url: '/v1/chat/completions', body }),
  );
});
const megabytes = lines.reduce((sum, line) => sum + line.length, 0) / 1e6;

/** MB a second of processor time, so that neighbours do not count. */
function rateOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (megabytes * 1e6) / (user + system);
}

function ingest(): void {
  const plan = new PlanBuilder(DEFAULT_SETTINGS, new IdHash(new Uint8Array(8)));
  const hash = createHash('sha256');
  let offset = 0;
  for (const line of lines) {
    hash.update(line);
    plan.add(line, 0, line.length, offset, line.length);
    offset += line.length + 1;
  }
  hash.digest();
}

/** What a shard does with its lines for a provider's batch. */
async function conversion(kind: string, model: string): Promise<() => void> {
  const { provider, api } = await findProvider(kind, model, {}, false);
  return () => {
    const frames = new FrameReader();
    const converter = new LineConverter(provider, { model, params: { defaults: {}, overrides: {}, drops: [] } });
    for (const [index, line] of lines.entries()) {
      const converted = converter.convert(frames.read(line));
      if (!converted.ok) throw new Error(`${kind} refuses the line: ${converted.failure.message}`);
      const native = layLine(provider.name, api, index, converted.request);
      if (typeof native !== 'string') throw new Error(`${kind} refuses the line: ${native.message}`);
    }
  };
}

const works = [ingest, ...(await Promise.all(TARGETS.map(([kind, model]) => conversion(kind, model))))];
// The first round warms up; then each is measured in turn.
for (const work of works) work();
const rounds = Array.from({ length: ROUNDS }, () => works.map(rateOf));
const [ingestRate = Number.NaN, ...rates] = works.map((_, index) => median(rounds.map((round) => round[index] ?? 0)));

report(
  TARGETS.map(([kind, model], index): GoalRow => {
    const rate = rates[index] ?? Number.NaN;
    return {
      goal: 8,
      what: `conversion to ${kind}, ${model}`,
      yardstick: `ingest ${figure(ingestRate)} MB/s`,
      figure: `${(rate / ingestRate).toFixed(2)} × (${figure(rate)} MB/s)`,
      wanted: `≥ ${WANTED} ×`,
      met: rate / ingestRate >= WANTED,
    };
  }),
);
