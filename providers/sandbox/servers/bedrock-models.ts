import { createHash } from 'node:crypto';
import { isRecord, type RequestBody } from './answer.ts';
import { checkClaude, checkConverse } from './bedrock-checks.ts';
import { checkInvoked, invokedLimit, invokedOutput } from './bedrock-invoke.ts';
import type { BedrockSettings } from './bedrock-settings.ts';
import { mixNumbers } from './random.ts';
import { countPromptTokens, countTokens, cutToTokens, writeText } from './text.ts';

/** What a model answers: an output with its token counts, or why not. */
export type ModelAnswer =
  | { ok: true; output: Record<string, unknown>; inputTokens: number; outputTokens: number; cachedTokens: number }
  | { ok: false; status: number; message: string };

/** A recorded text for a native body; undefined lets the simulation invent one. */
export type AnswerHook = (body: RequestBody) => string | undefined;

export type Operation = 'converse' | 'invoke';

interface Question {
  body: RequestBody;
  settings: BedrockSettings;
  digest: string;
  text: string;
  inputTokens: number;
  cachedTokens: number;
}

/** The answer of a model to a native body, which depends on the seed and the body alone. */
export function answerModel(
  operation: Operation,
  model: string,
  body: RequestBody,
  settings: BedrockSettings,
  hook: AnswerHook | null,
): ModelAnswer {
  const problem = checkBody(operation, model, body);
  if (problem !== null) return { ok: false, status: 400, message: problem };
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const whole = countPromptTokens(body.system, body.messages, body.inputText, body.texts, body.prompt);
  const cachedTokens = settings.usage === 'cached' ? Math.floor(whole / 2) : 0;
  const key = mixNumbers(Number.parseInt(digest.slice(0, 8), 16), settings.seed);
  const { answer_length: length } = settings;
  const text = hook?.(body) ?? (length === null ? writeText(key) : 'long '.repeat(Math.ceil(length / 5)));
  const question = { body, settings, digest, text, inputTokens: whole - cachedTokens, cachedTokens };
  if (operation === 'converse') return answerConverse(question);
  if (isClaude(model)) return answerClaude(question);
  return /titan-embed|cohere\.embed/.test(model) ? answerEmbedding(model, question) : answerInvoked(model, question);
}

function isClaude(model: string): boolean {
  return model.includes('anthropic.claude');
}

function checkBody(operation: Operation, model: string, body: RequestBody): string | null {
  if (operation === 'converse') return checkConverse(body);
  if (isClaude(model)) return checkClaude(body);
  if (model.includes('titan-embed'))
    return typeof body.inputText === 'string' ? null : 'required key [inputText] not found';
  if (!model.includes('cohere.embed')) return checkInvoked(model, body);
  if (body.input_type === undefined) return 'required key [input_type] not found';
  return Array.isArray(body.texts) && body.texts.length <= 96 ? null : 'texts: up to 96 are allowed';
}

function answerConverse({ body, settings, text, digest, inputTokens, cachedTokens }: Question): ModelAnswer {
  const limit = isRecord(body.inferenceConfig) ? Number(body.inferenceConfig.maxTokens ?? 1e9) : 1e9;
  const tool = forcedTool(body);
  const said = body.outputConfig === undefined ? text : JSON.stringify({ answer: text });
  const cut = cutText(said, limit, settings);
  const content = tool === null ? [{ text: cut.text }] : [toolUse(tool, digest)];
  const outputTokens = tool === null ? cut.tokens : 12;
  const stopReason =
    tool !== null
      ? 'tool_use'
      : { stop: 'end_turn', length: 'max_tokens', content_filter: 'content_filtered' }[cut.finish];
  const counts = settings.usage === 'zeros' ? [0, 0, 0] : [inputTokens, outputTokens, cachedTokens];
  const usage = {
    inputTokens: counts[0],
    outputTokens: counts[1],
    totalTokens: (counts[0] ?? 0) + (counts[1] ?? 0),
    ...(settings.usage === 'cached' && { cacheReadInputTokens: counts[2], cacheWriteInputTokens: 0 }),
  };
  const output = {
    output: { message: { role: 'assistant', content } },
    stopReason,
    ...(settings.usage !== 'absent' && { usage }),
    metrics: { latencyMs: 1 },
  };
  return { ok: true, output, inputTokens, outputTokens, cachedTokens };
}

function toolUse(name: string, digest: string): object {
  return { toolUse: { toolUseId: `tooluse_${digest.slice(0, 22)}`, name, input: { query: digest.slice(0, 6) } } };
}

function forcedTool(body: RequestBody): string | null {
  const config = isRecord(body.toolConfig) ? body.toolConfig : {};
  const choice = isRecord(config.toolChoice) ? config.toolChoice : {};
  if (isRecord(choice.tool)) return String(choice.tool.name);
  const first: unknown = Array.isArray(config.tools) ? config.tools[0] : undefined;
  if (choice.any === undefined || !isRecord(first) || !isRecord(first.toolSpec)) return null;
  return String(first.toolSpec.name);
}

function answerClaude({ body, settings, text, digest, inputTokens, cachedTokens }: Question): ModelAnswer {
  const cut = cutText(text, Number(body.max_tokens), settings);
  const choice = isRecord(body.tool_choice) ? body.tool_choice : {};
  const tools: unknown[] = Array.isArray(body.tools) ? body.tools : [];
  const named =
    choice.type === 'tool' ? choice.name : choice.type === 'any' && isRecord(tools[0]) ? tools[0].name : null;
  const call = { type: 'tool_use', id: `toolu_${digest.slice(0, 20)}`, name: named, input: { answer: cut.text } };
  const isCall = typeof named === 'string';
  const stop = { stop: 'end_turn', length: 'max_tokens', content_filter: 'refusal' }[cut.finish];
  const usage = {
    input_tokens: settings.usage === 'zeros' ? 0 : inputTokens,
    output_tokens: settings.usage === 'zeros' ? 0 : cut.tokens,
    ...(settings.usage === 'cached' && { cache_read_input_tokens: cachedTokens, cache_creation_input_tokens: 0 }),
  };
  const output = {
    id: `msg_bdrk_${digest.slice(0, 24)}`,
    type: 'message',
    role: 'assistant',
    model: 'claude-sim',
    content: [isCall ? call : { type: 'text', text: cut.text }],
    stop_reason: isCall ? 'tool_use' : stop,
    stop_sequence: null,
    ...(settings.usage !== 'absent' && { usage }),
  };
  return { ok: true, output, inputTokens, outputTokens: cut.tokens, cachedTokens };
}

function answerInvoked(model: string, { body, settings, text, inputTokens, cachedTokens }: Question): ModelAnswer {
  const cut = cutText(text, invokedLimit(body), settings);
  const counts = settings.usage === 'zeros' ? [0, 0] : [inputTokens, cut.tokens];
  const output = invokedOutput(model, {
    text: cut.text,
    isCut: cut.finish === 'length',
    inputTokens: counts[0] ?? 0,
    outputTokens: counts[1] ?? 0,
    hasUsage: settings.usage !== 'absent',
  });
  return { ok: true, output, inputTokens, outputTokens: cut.tokens, cachedTokens };
}

function answerEmbedding(model: string, { body, digest, inputTokens: tokens, settings }: Question): ModelAnswer {
  const common = { inputTokens: tokens, outputTokens: 0, cachedTokens: 0 };
  if (model.includes('titan-embed')) {
    const counts = settings.usage === 'absent' ? {} : { inputTextTokenCount: tokens };
    return { ok: true, output: { embedding: vector(digest, Number(body.dimensions ?? 8)), ...counts }, ...common };
  }
  const texts = body.texts as string[];
  const float = texts.map((_text, index) => vector(`${digest}${index}`, Number(body.output_dimension ?? 8)));
  const output = { id: digest.slice(0, 32), response_type: 'embeddings_by_type', embeddings: { float }, texts };
  return { ok: true, output, ...common };
}

function vector(seed: string, length: number): number[] {
  const start = Number.parseInt(createHash('sha256').update(seed).digest('hex').slice(0, 8), 16);
  return Array.from({ length }, (_none, index) => mixNumbers(start, index) / 2 ** 31 - 1);
}

function cutText(text: string, limit: number, settings: BedrockSettings) {
  const whole = countTokens(text);
  if (settings.answer_length !== null) return { text, tokens: whole, finish: 'stop' as const };
  const allowed = settings.finish === 'stop' ? limit : Math.min(limit, Math.ceil(whole / 2));
  if (whole <= allowed) return { text, tokens: whole, finish: 'stop' as const };
  const cut = cutToTokens(text, allowed);
  return {
    text: cut,
    tokens: countTokens(cut),
    finish: settings.finish === 'stop' ? ('length' as const) : settings.finish,
  };
}
