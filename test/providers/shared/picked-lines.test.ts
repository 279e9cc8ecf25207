import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resultOfLine, resultOfText } from '../../../providers/anthropic/results.ts';
import type { AnswerFacts } from '../../../providers/bedrock/facts.ts';
import { readLine as readBedrock } from '../../../providers/bedrock/output.ts';
import { readRecord } from '../../../providers/bedrock/results.ts';
import type { BatchResult } from '../../../providers/contract.ts';
import { parseAnswer } from '../../../providers/shared/answer.ts';
import { LineInBytes } from '../../../providers/shared/answer-in-bytes.ts';
import { readRow, readLine as readVertex } from '../../../providers/vertex/rows.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Read = (bytes: Uint8Array) => BatchResult;

const context = { provider: 'p', secrets: [], nowMs: 1_790_000_000_500 };
const endpoint = '/v1/chat/completions';

const message: Json = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-haiku-4-5',
  content: [
    { type: 'text', text: 'Say "hi" \\ to ü' },
    { type: 'text', text: '' },
  ],
  stop_reason: 'end_turn',
  stop_sequence: null,
  stop_details: null,
  usage: {
    input_tokens: 7,
    cache_creation_input_tokens: 3,
    cache_read_input_tokens: 2,
    cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 },
    output_tokens: 9,
    output_tokens_details: { thinking_tokens: 4 },
    server_tool_use: { web_search_requests: 1 },
    service_tier: 'batch',
    speed: 'standard',
  },
};
const converse: Json = {
  output: { message: { role: 'assistant', content: [{ text: 'Hi', image: null, toolUse: null }, { text: 'ü\n' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 7, outputTokens: 3, totalTokens: 10, cacheReadInputTokens: 1, cacheWriteInputTokens: 2 },
  metrics: { latencyMs: 10 },
};
const gemini: Json = {
  candidates: [
    {
      content: { role: 'model', parts: [{ text: 'Hi <', thoughtSignature: 'x' }, { text: 'ü' }] },
      finishReason: 'STOP',
      logprobsResult: null,
    },
  ],
  modelVersion: 'gemini-2.5-flash@001',
  responseId: 'R1',
  createTime: '2026-11-01T10:00:00.5Z',
  promptFeedback: null,
  usageMetadata: {
    promptTokenCount: 10,
    candidatesTokenCount: 4,
    thoughtsTokenCount: 3,
    cachedContentTokenCount: 2,
    totalTokenCount: 17,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 10 }],
  },
};

const factsOf = (form: AnswerFacts['form']) => (key: string) => ({
  ...{ endpoint, form, provider: 'p', secrets: [], model: 'us.model-v1:0', created: 1_790_000_000 },
  ...({ id: `chatcmpl-${key}`, requestId: `job/${key}`, endpoint } as const),
});
const bedrock = (form: AnswerFacts['form'], modelOutput: Json) => ({
  line: { recordId: 'l-1', modelInput: { messages: [{ role: 'user' }] }, modelOutput, error: null },
  lean: (bytes: Uint8Array) => readBedrock(bytes, factsOf(form)),
  full(bytes: Uint8Array) {
    const parsed = parseAnswer(bytes);
    return { ...readRecord(parsed, factsOf(form)), raw: parsed.text };
  },
});
const keyOf = (id: string) => `key of ${id}`;
const vertexContext = { ...context, model: 'gemini-2.5-flash', requestId: null };
const resultOfRow = ({ piece, ...row }: ReturnType<typeof readRow>) => {
  if (piece !== null || !('result' in row)) throw new Error('a piece of an embedding');
  return row.result;
};

/** How lines of each service are read: in bytes where that can be, and always by parsing them. */
const services: Record<string, { line: Json; lean: Read; full: Read }> = {
  anthropic: {
    line: { custom_id: 'l-1', result: { type: 'succeeded', message, error: null } },
    lean: (bytes) => resultOfLine(bytes, endpoint, keyOf, context),
    full: (bytes) => resultOfText(parseAnswer(bytes), endpoint, keyOf, context),
  },
  'bedrock, Converse': bedrock('converse', converse),
  'bedrock, Claude': bedrock('claude', message),
  vertex: {
    line: {
      key: 'l-1',
      status: '',
      error: null,
      instance: null,
      request: { labels: { weir_key: 'l-1' }, contents: [] },
      response: gemini,
    },
    lean: (bytes) => resultOfRow(readVertex(bytes, 'gemini', endpoint, vertexContext)),
    full: (bytes) => resultOfRow(readRow(parseAnswer(bytes), 'gemini', vertexContext)),
  },
};

const odd: fc.Arbitrary<Json | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary' }) },
  fc.constantFrom<Json | undefined>(
    undefined,
    null,
    true,
    false,
    '',
    ' ',
    0,
    -1,
    1.5,
    2 ** 60,
    'l-2',
    'L 2',
    'x\u2028',
    '\u0085',
    '\ufffd',
    '\ud800',
    '字"\\\n',
    'max_tokens',
    'MAX_TOKENS',
    'tool_use',
    'refusal',
    'pause_turn',
    'malformed_tool_use',
    'SAFETY',
    'OTHER',
    'errored',
    'expired',
    'thinking',
    'fast',
    'priority',
    'a@b',
    [],
    {},
    [null],
    { code: 4 },
    [{ text: 'more' }],
    { type: 'thinking', thinking: 'hm' },
    { functionCall: { name: 'f', args: {} } },
    { toolUse: { toolUseId: 't', name: 'f', input: {} } },
  ),
);

/** A change of a line: at the place that `at` chooses a value is put in place of another, or beside it, by a new name. */
const change = fc.record({
  at: fc.nat(10_000),
  value: odd,
  how: fc.constantFrom('replace', 'replace', 'replace', 'add'),
  name: fc.constantFrom('functionCall', 'thought', 'text', 'type', 'error', 'logprobsResult', 'toolUse', 'more'),
});

function changed(
  line: Json,
  { at, value, how, name }: typeof change extends fc.Arbitrary<infer One> ? One : never,
): Json {
  const places: [object: Record<string, Json>, key: string][] = [];
  const copy = structuredClone(line);
  const visit = (each: Json) => {
    if (typeof each !== 'object' || each === null) return;
    for (const [key, inner] of Object.entries(each)) {
      places.push([each as Record<string, Json>, key]);
      visit(inner);
    }
  };
  visit(copy);
  const place = places[at % places.length];
  if (place === undefined) return copy;
  const [object, key] = place;
  const inner = object[key];
  if (how === 'add' && typeof inner === 'object' && inner !== null && !Array.isArray(inner))
    inner[name] = value ?? null;
  else if (value === undefined) delete object[key];
  else object[key] = value;
  return copy;
}

/** Ways in which one value may be written. */
const writings: ((line: Json) => string)[] = [
  (line) => JSON.stringify(line),
  (line) => JSON.stringify(line),
  (line) => JSON.stringify(line, null, 1).replaceAll('\n', '\r'),
  (line) =>
    JSON.stringify(line).replaceAll(/[ü<H/]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  (line) => JSON.stringify(line).replace(/"(\w+)":/, '"$1":1,"$1":'),
  (line) => JSON.stringify(line).slice(0, -1),
];

const meaning = ({ key, result, raw }: BatchResult) => {
  const { body, ...said } = { ...result, bytes: undefined, body: result.body };
  if (result.ok) expect(body).not.toMatch(/[\u0085\u2028\u2029\n\r]/);
  return { key, raw, said: { serviceTier: null, ...said }, body: body && (JSON.parse(body) as unknown) };
};

describe('a line of results whose answer is picked from its bytes', () => {
  it.each(Object.entries(services))(
    'means what the parsed line means, whatever is in it: %s',
    (_, { line, lean, full }) => {
      let picked = 0;
      fc.assert(
        fc.property(
          fc.array(change, { maxLength: 2 }),
          fc.constantFrom(...writings),
          fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.nat()),
          (changes, write, damaged) => {
            const bytes = Buffer.from(write(changes.reduce(changed, line)));
            if (damaged !== null) bytes[damaged % bytes.length] = 0xff;
            const read = lean(Buffer.from(bytes));
            picked += read instanceof LineInBytes ? 1 : 0;
            expect(meaning({ ...read, raw: read.raw })).toEqual(meaning(full(bytes)));
          },
        ),
        { numRuns: 3000 },
      );
      expect(picked).toBeGreaterThan(500);
    },
  );

  it.each(Object.entries(services))(
    'is picked as most services write it, and stands for its bytes: %s',
    (_, { line, lean, full }) => {
      const bytes = Buffer.from(JSON.stringify(line));
      const read = lean(bytes);
      expect(read).toBeInstanceOf(LineInBytes);
      expect(read.rawLength).toBe(bytes.length);
      expect(read.result.body).toBe(full(bytes).result.body);
      const long = Buffer.from(
        JSON.stringify(line).replace('Hi', 'Hi '.repeat(40_000)).replace('to ü', 'ü '.repeat(40_000)),
      );
      expect(long.length).toBeGreaterThan(65_536);
      const far = Buffer.concat([Buffer.from('{}\n'), long]).subarray(3);
      expect(lean(far)).toBeInstanceOf(LineInBytes);
      expect(lean(far).result.body).toBe(full(long).result.body);
    },
  );
});
