import { createHash } from 'node:crypto';
import { isRecord } from './answer.ts';
import { forcedTool } from './anthropic-answer.ts';
import { type GoogleAnswer, googleError } from './gcs-routes.ts';
import { mixNumbers } from './random.ts';
import { countTokens, cutToTokens, writeText } from './text.ts';
import type { VertexSimulation } from './vertex-settings.ts';

export type Body = Record<string, unknown>;

const requestNames = new Set([
  'contents',
  'systemInstruction',
  'generationConfig',
  'tools',
  'toolConfig',
  'safetySettings',
  'labels',
]);

const configNames = new Set([
  'candidateCount',
  'frequencyPenalty',
  'logprobs',
  'maxOutputTokens',
  'presencePenalty',
  'responseJsonSchema',
  'responseLogprobs',
  'responseMimeType',
  'responseSchema',
  'seed',
  'stopSequences',
  'temperature',
  'thinkingConfig',
  'topK',
  'topP',
]);

const badRequest = (message: string) => googleError(400, 'INVALID_ARGUMENT', message);

/** Answers generateContent, in words that depend on the seed and the conversation alone. */
export function generateContent(model: string, body: unknown, settings: VertexSimulation): GoogleAnswer {
  const problem = problemOf(body);
  if (problem !== null || !isRecord(body)) return badRequest(problem ?? 'Invalid JSON payload received.');
  const config = isRecord(body.generationConfig) ? body.generationConfig : {};
  const digest = digestOf({ ...body, labels: undefined });
  const promptTokens = Math.max(1, countTokens(JSON.stringify([body.contents, body.systemInstruction ?? null])));
  const common = {
    modelVersion: `${model}@default`,
    responseId: digest.slice(0, 22),
    createTime: new Date(1_767_225_600_000 + (Number.parseInt(digest.slice(0, 6), 16) % 86_400) * 1000).toISOString(),
  };
  if (settings.block !== null && JSON.stringify(body.contents).includes(settings.block)) {
    const usageMetadata = usageOf(settings, promptTokens, 0, 0);
    return { status: 200, body: { promptFeedback: { blockReason: 'SAFETY' }, ...common, usageMetadata } };
  }
  const count = typeof config.candidateCount === 'number' ? config.candidateCount : 1;
  const thoughts =
    isRecord(config.thinkingConfig) && config.thinkingConfig.thinkingBudget === 0 ? 0 : settings.thoughts;
  let tokens = 0;
  const candidates = Array.from({ length: count }, (_, index) => {
    const key = mixNumbers(Number.parseInt(digest.slice(0, 8), 16), index + settings.seed);
    const { candidate, used } = candidateOf(body, config, key, settings, thoughts);
    tokens += used;
    const finish = settings.finish === null ? {} : { finishReason: settings.finish };
    return { ...candidate, ...finish, ...(index > 0 && { index }) };
  });
  const usageMetadata = usageOf(settings, promptTokens, tokens, thoughts);
  return { status: 200, body: { candidates, ...common, ...(usageMetadata && { usageMetadata }) } };
}

function problemOf(body: unknown): string | null {
  if (!isRecord(body)) return 'Invalid JSON payload received.';
  const unknown = Object.keys(body).find((name) => !requestNames.has(name));
  if (unknown !== undefined) return `Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`;
  const { contents, generationConfig: config } = body;
  if (!Array.isArray(contents) || contents.length === 0)
    return 'Unable to submit request because at least one contents field is required.';
  if (!contents.every(isContent)) return 'Unable to submit request because it must have a text parameter.';
  const named = isRecord(config) ? Object.keys(config).find((name) => !configNames.has(name)) : undefined;
  return named === undefined ? null : `Invalid JSON payload received. Unknown name "${named}" at 'generation_config'.`;
}

function isContent(content: unknown): boolean {
  if (!isRecord(content) || !Array.isArray(content.parts) || content.parts.length === 0) return false;
  if (content.role !== 'user' && content.role !== 'model') return false;
  return content.parts.every((part: unknown) => isRecord(part) && part.text !== '');
}

function candidateOf(body: Body, config: Body, key: number, settings: VertexSimulation, thoughts: number) {
  const called = functionToCall(body);
  if (called !== null) {
    const part = { functionCall: { name: called, args: { key } } };
    return { candidate: { content: { role: 'model', parts: [part] }, finishReason: 'STOP' }, used: 8 };
  }
  const written = writeText(key);
  const text = config.responseMimeType === 'application/json' ? JSON.stringify({ answer: written }) : written;
  const most =
    typeof config.maxOutputTokens === 'number' ? config.maxOutputTokens - thoughts : Number.POSITIVE_INFINITY;
  // All of the budget went into thoughts: no content at all, as the service answers it.
  if (most <= 0) return { candidate: { content: { role: 'model' }, finishReason: 'MAX_TOKENS' }, used: 0 };
  const isCut = countTokens(text) > most;
  const said = (isCut ? cutToTokens(text, most) : text).padEnd(settings.answer_characters, '.');
  const parts = [...(thoughts > 0 ? [{ text: 'Let me think.', thought: true }] : []), { text: said }];
  const candidate = {
    content: { role: 'model', parts },
    finishReason: isCut ? 'MAX_TOKENS' : 'STOP',
    avgLogprobs: -0.1,
    ...(config.responseLogprobs === true && { logprobsResult: logprobsOf(said) }),
  };
  return { candidate, used: countTokens(said) };
}

function functionToCall(body: Body): string | null {
  const calling = isRecord(body.toolConfig) ? body.toolConfig.functionCallingConfig : undefined;
  if (!isRecord(calling) || calling.mode !== 'ANY') return null;
  const allowed: unknown = Array.isArray(calling.allowedFunctionNames) ? calling.allowedFunctionNames[0] : undefined;
  const [tool] = Array.isArray(body.tools) ? body.tools : [];
  const declared: unknown =
    isRecord(tool) && Array.isArray(tool.functionDeclarations) ? tool.functionDeclarations[0] : null;
  return typeof allowed === 'string' ? allowed : isRecord(declared) ? String(declared.name) : null;
}

function logprobsOf(text: string): object {
  const chosen = text.split(/(?<= )/).map((token) => ({ token, tokenId: 1, logProbability: -0.25 }));
  const others = chosen.map((one) => ({ candidates: [one, { token: 'x', tokenId: 2, logProbability: -2 }] }));
  return { chosenCandidates: chosen, topCandidates: others };
}

/** `candidatesTokenCount` and `thoughtsTokenCount` are absent when zero, as on the wire. */
function usageOf(settings: VertexSimulation, prompt: number, output: number, thoughts: number): object | undefined {
  if (settings.usage === 'absent') return undefined;
  if (settings.usage === 'zeros') return { promptTokenCount: 0, totalTokenCount: 0 };
  const cached = settings.usage === 'cached' ? Math.floor(prompt / 2) : 0;
  return {
    promptTokenCount: prompt,
    ...(output > 0 && { candidatesTokenCount: output }),
    ...(thoughts > 0 && { thoughtsTokenCount: thoughts }),
    ...(cached > 0 && { cachedContentTokenCount: cached }),
    totalTokenCount: prompt + output + thoughts,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: prompt }],
    trafficType: 'ON_DEMAND',
  };
}

/** Answers rawPredict of a Claude model: a Messages object. */
export function rawPredict(model: string, body: unknown, settings: VertexSimulation): GoogleAnswer {
  if (!isRecord(body) || body.anthropic_version !== 'vertex-2023-10-16') {
    return claudeError('anthropic_version: Field required');
  }
  if (body.model !== undefined) return claudeError('model: Extra inputs are not permitted');
  if (typeof body.max_tokens !== 'number') return claudeError('max_tokens: Field required');
  if (!Array.isArray(body.messages) || body.messages.length === 0)
    return claudeError('messages: at least one is required');
  const digest = digestOf(body);
  const whole = writeText(Number.parseInt(digest.slice(0, 8), 16));
  const text = cutToTokens(whole, body.max_tokens);
  const tool = forcedTool(body);
  const said = { type: 'text', text: text.padEnd(settings.answer_characters, '.') };
  const call = { type: 'tool_use', id: `toolu_vrtx_${digest.slice(0, 24)}`, name: tool, input: { answer: text } };
  const stop = text === whole ? 'end_turn' : 'max_tokens';
  const input = Math.max(1, countTokens(JSON.stringify([body.system ?? null, body.messages])));
  return {
    status: 200,
    body: {
      id: `msg_vrtx_${digest.slice(0, 24)}`,
      type: 'message',
      role: 'assistant',
      model: model.replace('@', '-'),
      content: [tool === null ? said : call],
      stop_reason: tool === null ? stop : 'tool_use',
      stop_sequence: null,
      usage: {
        input_tokens: input,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: countTokens(text),
      },
    },
  };
}

function claudeError(message: string): GoogleAnswer {
  return { status: 400, body: { type: 'error', error: { type: 'invalid_request_error', message } } };
}

const fullDimensions = 768;

/** Answers predict of an embedding model. */
export function predict(model: string, body: unknown): GoogleAnswer {
  const instances: unknown[] = isRecord(body) && Array.isArray(body.instances) ? body.instances : [];
  if (instances.length === 0) return badRequest('Instances are required.');
  if (model.startsWith('gemini-') && instances.length > 1) return badRequest('batch size must be 1 for this model.');
  const parameters = isRecord(body) && isRecord(body.parameters) ? body.parameters : {};
  const dimensions =
    typeof parameters.outputDimensionality === 'number' ? parameters.outputDimensionality : fullDimensions;
  return { status: 200, body: { predictions: instances.map((instance) => predictionOf(instance, dimensions)) } };
}

/** One embedding; the first of its numbers tell which text it is of. */
export function predictionOf(instance: unknown, dimensions = fullDimensions): object {
  const content = isRecord(instance) && typeof instance.content === 'string' ? instance.content : '';
  const bytes = createHash('sha512').update(content).digest();
  const values = Array.from({ length: dimensions }, (_, index) => ((bytes[index % 64] ?? 0) - 127.5) / 1024);
  return { embeddings: { values, statistics: { token_count: Math.max(1, countTokens(content)), truncated: false } } };
}

function digestOf(body: unknown): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}
