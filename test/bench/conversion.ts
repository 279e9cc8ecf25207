/**
 * Turning OpenAI lines into each provider's native batch lines, and native result lines into OpenAI's with their usage,
 * beside what an upload does with lines (check, plan, duplicate ids, sha-256). All from memory, in one process.
 *
 *   node test/bench/conversion.ts
 */
import { createHash } from 'node:crypto';
import { priceFiles } from '../../config/prices/index.ts';
import { IdHash } from '../../src/core/id-hash.ts';
import type { Candidate } from '../../src/core/lane.ts';
import { LastingLines } from '../../src/core/lasting-lines.ts';
import { compilePrices } from '../../src/core/price-book.ts';
import { FrameReader } from '../../src/core/request-frame.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import type { LedgerEntryRow } from '../../src/ports/store-ledger.ts';
import { findProvider } from '../../src/runtime/cli/convert/find-provider.ts';
import { PlanBuilder } from '../../src/services/files/plan-builder.ts';
import { priceAttempt } from '../../src/services/ledger/price-attempt.ts';
import { resultOfAttempt } from '../../src/services/results/line-result.ts';
import { LineConverter } from '../../src/services/shards/line-converter.ts';
import { layLine } from '../../src/services/shards/native-input.ts';
import { figure, type GoalRow, report } from './goals.ts';
import { type NativeAnswers, nativeAnswers } from './native-answers.ts';
import { median } from './table.ts';

const LINES = 20_000;
const ROUNDS = 9;
const WANTED = 0.4;
/** Of a download. */
const CHUNK_BYTES = 65_536;
/** Unix seconds. */
const NOW = 1_790_000_000;
const TARGETS = [
  ['openai', 'gpt-4.1-mini'],
  ['azure', 'gpt-4o-mini'],
  ['bedrock', 'us.amazon.nova-lite-v1:0'],
  ['bedrock', 'global.anthropic.claude-sonnet-4-6'],
  ['vertex', 'gemini-2.5-flash'],
  ['anthropic', 'claude-haiku-4-5'],
] as const;
type Target = (typeof TARGETS)[number];

const lines = Array.from({ length: LINES }, (_, index) => {
  const content = `${'word '.repeat(180)}${index}`;
  const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content }], max_tokens: 256, temperature: 0.2 };
  return Buffer.from(
    JSON.stringify({ custom_id: `request-${index}`, method: 'POST', url: '/v1/chat/completions', body }),
  );
});
interface Work {
  what: string;
  bytes: number;
  /** Of ingest; null where the row only informs. */
  wanted: number | null;
  run(): void;
}

/** MB a second of processor time, so that neighbours do not count. */
function rateOf({ bytes, run }: Work): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return bytes / (user + system);
}

const bytesOf = (all: readonly Uint8Array[]) => all.reduce((sum, { length }) => sum + length, 0);

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
async function conversion([kind, model]: Target): Promise<Work> {
  const { provider, api } = await findProvider(kind, model, {}, false);
  const run = () => {
    const frames = new FrameReader();
    const converter = new LineConverter(provider, candidateOf(kind, model));
    for (const [index, line] of lines.entries()) {
      const converted = converter.convert(frames.read(line));
      if (!converted.ok) throw new Error(`${kind} refuses the line: ${converted.failure.message}`);
      const native = layLine(provider.name, api, index, converted.request);
      if (typeof native !== 'string') throw new Error(`${kind} refuses the line: ${native.message}`);
    }
  };
  return { what: `conversion to ${kind}, ${model}`, bytes: bytesOf(lines), wanted: WANTED, run };
}

/** What a shard does with the lines of a provider's results: lines of OpenAI's form, and where `isPriced` their ledger entries. */
async function normalisation({ kind, model, line, read }: NativeAnswers, isPriced: boolean): Promise<Work> {
  const { provider } = await findProvider(kind, model, {}, false);
  const answers = downloaded(Array.from({ length: LINES }, (_, index) => line(index)));
  const candidate = candidateOf(kind, model);
  const deps = { prices: compilePrices(priceFiles), ownPrices: new Map() };
  const batchId = 'batch_0123456789';
  const entry = { tenantId: 't', keyId: 'k', batchId, attempt: 1, tags: null, route: null };
  const ended = { provider, candidate, final: true, at: NOW, latencyMs: null, gpuMicroseconds: null };
  const run = () => {
    for (const [index, answer] of answers.entries()) {
      const result = read(answer);
      if (!result.ok || result.usage === null) throw new Error(`${kind}: the answer was not understood`);
      const customId = `request-${index}`;
      const priced = (): LedgerEntryRow =>
        priceAttempt(deps, { ...entry, ...ended, mode: 'batch', customId, line: index + 1, result });
      const costNano = isPriced ? priced().amountNano : 0;
      if (costNano === null) throw new Error(`${kind}: the answer has no price`);
      resultOfAttempt({ batchId, line: index, customId, candidate, attempts: 1, costNano, warnings: [] }, result);
    }
  };
  const what = `results of ${kind}, ${model}${isPriced ? ', with priced entries' : ''}`;
  return { what, bytes: bytesOf(answers), wanted: isPriced ? null : WANTED, run };
}

/** The lines of a file of results, as a download in chunks leaves them. */
function downloaded(answers: readonly object[]): Uint8Array[] {
  const lines: Uint8Array[] = [];
  const framer = new LastingLines(Number.MAX_SAFE_INTEGER, (line) => line && lines.push(line));
  const file = Buffer.from(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
  for (let from = 0; from < file.length; from += CHUNK_BYTES) {
    framer.push(new Uint8Array(file.subarray(from, from + CHUNK_BYTES)));
  }
  return lines;
}

function candidateOf(provider: string, model: string): Candidate {
  const params = { defaults: {}, overrides: {}, drops: [] };
  const retry = { attempts: 1, onStatusCodes: [], useRetryAfter: true };
  return { provider, model, mode: 'batch', weight: 1, retry, requestTimeoutMs: null, params, enterOn: 'any' };
}

const works: Work[] = [
  { what: 'ingest', bytes: bytesOf(lines), wanted: null, run: ingest },
  ...(await Promise.all(TARGETS.map(conversion))),
  ...(await Promise.all(nativeAnswers.map((one) => normalisation(one, false)))),
  ...(await Promise.all(nativeAnswers.map((one) => normalisation(one, true)))),
];
// The first round warms up; then each is measured in turn.
for (const { run } of works) run();
const rounds = Array.from({ length: ROUNDS }, () => works.map(rateOf));
const [ingestRate = Number.NaN, ...rates] = works.map((_, index) => median(rounds.map((round) => round[index] ?? 0)));

report(
  works.slice(1).map(({ what, wanted }, index): GoalRow => {
    const rate = rates[index] ?? Number.NaN;
    return {
      goal: 8,
      what,
      yardstick: `ingest ${figure(ingestRate)} MB/s`,
      figure: `${(rate / ingestRate).toFixed(2)} × (${figure(rate)} MB/s)`,
      wanted: wanted === null ? '–' : `≥ ${wanted} ×`,
      met: wanted === null ? null : rate / ingestRate >= wanted,
    };
  }),
);
