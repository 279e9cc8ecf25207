/**
 * Result lines of each provider's batches, as they are downloaded, and the provider's own reading of them. The services
 * of Amazon and Google repeat the request in each.
 */

import { resultOfLine } from '../../providers/anthropic/results.ts';
import { readers as azureReaders } from '../../providers/azure/results.ts';
import { readLine as readBedrockLine } from '../../providers/bedrock/output.ts';
import type { Result } from '../../providers/contract.ts';
import { readers as openaiReaders } from '../../providers/openai/results.ts';
import { resultOfBytes } from '../../providers/shared/openai-batch-results.ts';
import { readLine as readVertexLine } from '../../providers/vertex/rows.ts';

export interface NativeAnswers {
  kind: string;
  model: string;
  /** One line, without its line feed, of the request with this number. */
  line(index: number): object;
  /** `line`: bytes of its own, in the memory of the download's chunk. */
  read(line: Uint8Array): Result;
}

const context = { provider: 'p', secrets: [], nowMs: 1_790_000_000_000 };
const endpoint = '/v1/chat/completions';

const paragraph =
  'A weir holds a stream, divides it and measures what passes: "so much for the mill", the miller wrote, and no more.\n\n';
const answer = (index: number) => `${paragraph.repeat(8)}That was answer ${index}.`;
/** Tokens. */
const read = (index: number) => 200 + (index % 97);
const WRITTEN = 263;
const question = (index: number) => `${'word '.repeat(180)}${index}`;

function openaiLine(index: number, own: { line?: object; choice?: object; body?: object }): object {
  const message = { role: 'assistant', content: answer(index), refusal: null, annotations: [] };
  const usage = {
    prompt_tokens: read(index),
    completion_tokens: WRITTEN,
    total_tokens: read(index) + WRITTEN,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
  const body = {
    id: `chatcmpl-B${index}`,
    object: 'chat.completion',
    created: 1_790_000_000,
    model: 'gpt-4o-mini-2024-07-18',
    choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop', ...own.choice }],
    usage,
    service_tier: 'default',
    system_fingerprint: 'fp_06737a9306',
    ...own.body,
  };
  const response = { status_code: 200, request_id: `req_${index}`, body };
  return { id: `batch_req_${index}`, custom_id: `l-${index + 1}`, response, error: null, ...own.line };
}

const claudeMessage = (index: number) => ({
  id: `msg_01${index}`,
  type: 'message',
  role: 'assistant',
  model: 'claude-haiku-4-5-20251001',
  content: [{ type: 'text', text: answer(index) }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: {
    input_tokens: read(index),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: WRITTEN,
    service_tier: 'batch',
  },
});

function bedrock(
  form: 'converse' | 'claude',
  model: string,
  input: (index: number) => object,
  output: (index: number) => object,
): NativeAnswers {
  const factsOf = (key: string) => ({
    ...({ endpoint, form, provider: 'p', secrets: [], model, created: 1_790_000_000 } as const),
    id: `chatcmpl-abc-${key}`,
    requestId: `abc/${key}`,
  });
  return {
    kind: 'bedrock',
    model,
    line: (index) => ({ modelInput: input(index), modelOutput: output(index), recordId: `l-${index + 1}` }),
    read: (line) => readBedrockLine(line, factsOf).result,
  };
}

const safety = ['HARM_CATEGORY_HATE_SPEECH', 'HARM_CATEGORY_HARASSMENT'].map((category) => ({
  category,
  probability: 'NEGLIGIBLE',
}));

export const nativeAnswers: readonly NativeAnswers[] = [
  {
    kind: 'openai',
    model: 'gpt-4.1-mini',
    line: (index) => openaiLine(index, {}),
    read: (line) => (resultOfBytes(line, endpoint, context, openaiReaders) as { result: Result }).result,
  },
  {
    kind: 'azure',
    model: 'gpt-4o-mini',
    line: (index) =>
      openaiLine(index, {
        choice: {
          content_filter_results: {
            hate: { filtered: false, severity: 'safe' },
            violence: { filtered: false, severity: 'safe' },
          },
        },
        body: {
          prompt_filter_results: [
            { prompt_index: 0, content_filter_results: { jailbreak: { filtered: false, detected: false } } },
          ],
        },
      }),
    read: (line) => (resultOfBytes(line, endpoint, context, azureReaders) as { result: Result }).result,
  },
  bedrock(
    'converse',
    'us.amazon.nova-lite-v1:0',
    (index) => ({
      messages: [{ role: 'user', content: [{ text: question(index) }] }],
      inferenceConfig: { maxTokens: 256, temperature: 0.2 },
    }),
    (index) => ({
      output: { message: { role: 'assistant', content: [{ text: answer(index) }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: read(index), outputTokens: WRITTEN, totalTokens: read(index) + WRITTEN },
      metrics: { latencyMs: 1210 },
    }),
  ),
  bedrock(
    'claude',
    'global.anthropic.claude-sonnet-4-6',
    (index) => ({
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 256,
      messages: [{ role: 'user', content: question(index) }],
    }),
    claudeMessage,
  ),
  {
    kind: 'vertex',
    model: 'gemini-2.5-flash',
    line: (index) => ({
      key: `l-${index + 1}`,
      status: '',
      processed_time: '2026-11-01T10:00:00.123456+00:00',
      request: {
        labels: { weir_key: `l-${index + 1}` },
        contents: [{ role: 'user', parts: [{ text: question(index) }] }],
        generationConfig: { maxOutputTokens: 256, temperature: 0.2 },
      },
      response: {
        candidates: [
          {
            content: { role: 'model', parts: [{ text: answer(index) }] },
            finishReason: 'STOP',
            avgLogprobs: -0.13,
            safetyRatings: safety,
          },
        ],
        modelVersion: 'gemini-2.5-flash@default',
        responseId: `r${index}`,
        createTime: '2026-11-01T10:00:00.123456Z',
        usageMetadata: {
          promptTokenCount: read(index),
          candidatesTokenCount: WRITTEN,
          totalTokenCount: read(index) + WRITTEN,
          promptTokensDetails: [{ modality: 'TEXT', tokenCount: read(index) }],
        },
      },
    }),
    read(line) {
      const row = readVertexLine(line, 'gemini', endpoint, {
        ...context,
        model: 'gemini-2.5-flash',
        requestId: null,
      });
      if (row.piece !== null) throw new Error('no piece of an embedding was written');
      return row.result.result;
    },
  },
  {
    kind: 'anthropic',
    model: 'claude-haiku-4-5',
    line: (index) => ({
      custom_id: `l-${index + 1}_abc`,
      result: { type: 'succeeded', message: claudeMessage(index) },
    }),
    read: (line) => resultOfLine(line, endpoint, (id) => id, context).result,
  },
];
