import { isRecord } from './answer.ts';
import type { Answered } from './answered.ts';
import { type AnswerHook, answerModel } from './bedrock-models.ts';
import type { BedrockSettings } from './bedrock-settings.ts';
import { seededRandom } from './random.ts';

/** What a job writes: its output files and its totals. */
export interface JobOutput {
  files: string[];
  totals: Totals;
}

export interface Totals {
  processed: number;
  succeeded: number;
  failed: number;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
}

/** What the validation of an input says; null when it is fine. */
export function validateInput(lines: readonly string[], settings: BedrockSettings): string | null {
  const bad = lines.findIndex(
    (line) => !isRecord(parse(line)) || !isRecord((parse(line) as { modelInput?: unknown }).modelInput),
  );
  if (bad >= 0) return `The input file contains malformed JSON at line ${bad + 1}.`;
  const { records_min: least, records_max: most } = settings;
  if (lines.length < least)
    return `The input has ${lines.length} records, less than the minimum number of records ${least}.`;
  return lines.length > most
    ? `The input has ${lines.length} records, more than the maximum number of records ${most}.`
    : null;
}

/** The lines of an input file. */
export function inputLines(body: Buffer): string[] {
  return body
    .toString()
    .split('\n')
    .filter((line) => line.trim() !== '');
}

/** Answers the first `share` of the records; the output is shuffled, as its order is not promised. */
export function runRecords(
  lines: readonly string[],
  count: number,
  job: { model: string; type: string; isExpiring: boolean; answered: Answered },
  settings: BedrockSettings,
  hook: AnswerHook | null,
): JobOutput {
  const random = seededRandom(settings.seed);
  const totals = { processed: 0, succeeded: 0, failed: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0 };
  const records: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (index >= count) {
      if (job.isExpiring) records.push(withError(line, 408, 'The record was not run in time.', true));
      continue;
    }
    records.push(answerRecord(line, job, random() < settings.rate_record_error, settings, hook, totals));
  }
  return { files: arrange(records, settings, random), totals };
}

function answerRecord(
  line: string,
  job: { model: string; type: string; answered: Answered },
  isUnlucky: boolean,
  settings: BedrockSettings,
  hook: AnswerHook | null,
  totals: Totals,
): string {
  totals.processed += 1;
  const { modelInput } = parse(line) as { modelInput: Record<string, unknown> };
  const poison = settings.poison.find(({ contains }) => line.includes(contains));
  const refusal = isUnlucky ? 'bad request' : batchRefusal(line, modelInput, settings);
  if (poison !== undefined || refusal !== null) {
    totals.failed += 1;
    return withError(line, poison?.error_code ?? 400, poison?.error_message ?? refusal ?? '', false);
  }
  const operation = job.type === 'Converse' ? 'converse' : 'invoke';
  const answer = answerModel(operation, job.model, modelInput, settings, hook);
  if (!answer.ok) {
    totals.failed += 1;
    return withError(line, answer.status, answer.message, false);
  }
  totals.succeeded += 1;
  job.answered.add(modelInput);
  totals.inputTokens += answer.inputTokens;
  totals.outputTokens += answer.outputTokens;
  totals.cachedTokens += answer.cachedTokens;
  const modelOutput = operation === 'converse' ? withNulls(answer.output) : answer.output;
  return JSON.stringify({ ...(parse(line) as object), modelOutput });
}

/** The user guide: no tool calling, no structured output; a cache point fails the record. */
function batchRefusal(line: string, input: Record<string, unknown>, settings: BedrockSettings): string | null {
  if (line.includes('"cachePoint"')) return 'Prompt caching is not supported in batch inference.';
  if (settings.tools_in_batch) return null;
  const isTool = input.toolConfig !== undefined || input.tools !== undefined;
  return isTool || input.outputConfig !== undefined ? 'Batch inference does not support tool calling.' : null;
}

function withError(line: string, errorCode: number | string, errorMessage: string, expired: boolean): string {
  return JSON.stringify({
    ...(parse(line) as object),
    error: { errorCode, errorMessage, ...(expired && { expired }) },
  });
}

/** Jobs of type Converse spell out every member of a block's union. */
function withNulls(output: Record<string, unknown>): object {
  const message = (output.output as { message: { role: string; content: object[] } }).message;
  const nothing = {
    text: null,
    image: null,
    document: null,
    video: null,
    toolUse: null,
    toolResult: null,
    reasoningContent: null,
    cachePoint: null,
  };
  const content = message.content.map((block) => ({ ...nothing, ...block }));
  return { ...output, output: { message: { ...message, content } } };
}

function arrange(records: string[], settings: BedrockSettings, random: () => number): string[] {
  const { drop, repeat, stranger, garbage, unnamed, blank, files } = settings.output;
  const lines = shuffled(records, random).slice(drop);
  lines.push(...lines.slice(0, repeat));
  for (let number = 0; number < stranger; number += 1) {
    lines.push(JSON.stringify({ recordId: `stranger-${number}`, modelInput: {}, modelOutput: {} }));
  }
  for (let number = 0; number < garbage; number += 1) lines.push('{"recordId":"cut-');
  for (let number = 0; number < unnamed; number += 1) lines.push('{"modelInput":{},"modelOutput":{}}');
  for (let number = 0; number < blank; number += 1) lines.push('');
  const size = Math.ceil(lines.length / files);
  return Array.from({ length: files }, (_none, index) =>
    lines
      .slice(index * size, (index + 1) * size)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

function shuffled(list: readonly string[], random: () => number): string[] {
  const copy = [...list];
  for (let index = copy.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [copy[index], copy[other]] = [copy[other] ?? '', copy[index] ?? ''];
  }
  return copy;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
