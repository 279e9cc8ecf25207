import type { Failure } from '../../src/core/failure.ts';
import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import type { UsageReading } from '../../src/core/usage.ts';
import type { Result } from '../contract.ts';
import type { AnswerContext } from './answer.ts';
import { structuredToolName } from './anthropic-messages-tools.ts';
import { toCompletionUsage, usageFromMessage } from './anthropic-messages-usage.ts';
import { isFields } from './error-body.ts';
import { badResponse } from './openai-status.ts';
import { tierWarnings } from './service-tier.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What is known of an answer beside the message itself. */
export interface MessageContext extends AnswerContext {
  requestId: string | null;
  /** The model that was asked, for messages that name none. */
  model?: string | undefined;
}

/** OpenAI's finish reasons for Anthropic's stop reasons (@anthropic-ai/sdk, StopReason). */
const finishReasons: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
};

/** Those after which a text is an answer like any other. */
export const endWords: ReadonlyMap<string, string> = new Map(
  Object.entries(finishReasons).filter(
    ([reason, word]) => reason !== 'pause_turn' && ['stop', 'length'].includes(word),
  ),
);

/**
 * A message of Anthropic's Messages API as a result with a chat completion of OpenAI's shape. Pure; never throws: what is
 * no message comes back as a failure. The message may be that of an ordinary call or of a batch.
 */
export function fromMessage(message: unknown, context: MessageContext): Result {
  const reading = usageFromMessage(message);
  const { usage, raw } = reading;
  const failure = problemOf(message, context);
  if (failure !== null || !isFields(message) || !Array.isArray(message.content)) {
    const stated = failure ?? badResponse(200, `${context.provider} answered without content.`);
    return { ok: false, failure: stated, requestId: context.requestId, body: null, usage, rawUsage: raw };
  }
  const { warnings, serviceTier } = usageNotices(reading);
  const read = readContent(message.content, warnings);
  const finishReason = finishReasonOf(message, read, warnings);
  const servedModel = typeof message.model === 'string' ? message.model : null;
  const completion = {
    id: typeof message.id === 'string' ? message.id : 'msg_unknown',
    object: 'chat.completion',
    created: Math.floor(context.nowMs / 1000),
    model: servedModel ?? context.model ?? '',
    choices: [{ index: 0, message: toChatMessage(read, message), logprobs: null, finish_reason: finishReason }],
    ...(usage !== null && { usage: toCompletionUsage(usage) }),
  };
  return {
    ok: true,
    status: 200,
    requestId: context.requestId,
    body: escapeLineSeparators(JSON.stringify(completion)),
    usage,
    rawUsage: raw,
    servedModel,
    serviceTier,
    finishReason,
    warnings,
  };
}

/** What the usage of an answer says beside its counts. */
export function usageNotices({ raw, problems }: UsageReading): { warnings: string[]; serviceTier: string | null } {
  const warnings = problems.map((text) => `usage: ${text}`);
  if (raw === null) warnings.push('usage: not reported');
  const serviceTier = servedTier(raw);
  warnings.push(...tierWarnings(serviceTier));
  return { warnings, serviceTier };
}

/** Fast mode is told beside the tier, and has prices of its own. */
function servedTier(usage: object | null): string | null {
  if (!isFields(usage)) return null;
  if (usage.speed === 'fast') return 'fast';
  return typeof usage.service_tier === 'string' ? usage.service_tier : null;
}

function problemOf(message: unknown, context: MessageContext): Failure | null {
  const { provider } = context;
  if (!isFields(message)) return badResponse(200, `${provider} answered with something that is no message.`);
  if (message.type !== 'message') return badResponse(200, `${provider} answered with an object that is no message.`);
  if (!Array.isArray(message.content)) return badResponse(200, `${provider} answered with a message without content.`);
  return null;
}

interface ReadContent {
  text: string;
  reasoning: string;
  toolCalls: Fields[];
  /** The text is the input of the forced tool that stands for a response format. */
  isStructured: boolean;
}

function readContent(blocks: readonly unknown[], warnings: string[]): ReadContent {
  const read: ReadContent = { text: '', reasoning: '', toolCalls: [], isStructured: false };
  let unknown: Set<string> | null = null;
  for (const block of blocks) {
    if (!isFields(block)) continue;
    if (block.type === 'text' && typeof block.text === 'string') read.text += block.text;
    else if (block.type === 'thinking' && typeof block.thinking === 'string') read.reasoning += block.thinking;
    else if (block.type === 'tool_use') readToolUse(block, read);
    // Encrypted thinking is of no use outside Anthropic.
    else if (block.type !== 'redacted_thinking') {
      unknown ??= new Set();
      unknown.add(String(block.type).slice(0, 60));
    }
  }
  for (const type of unknown ?? []) warnings.push(`content of type ${type} was left out`);
  return read;
}

function readToolUse(block: Fields, read: ReadContent): void {
  const text = JSON.stringify(block.input ?? {});
  if (block.name === structuredToolName) {
    read.isStructured = true;
    read.text = text;
    return;
  }
  const called = { name: String(block.name ?? ''), arguments: text };
  read.toolCalls.push({ id: String(block.id ?? ''), type: 'function', function: called });
}

function finishReasonOf(message: Fields, read: ReadContent, warnings: string[]): string {
  const reason = typeof message.stop_reason === 'string' ? message.stop_reason : '';
  if (reason === 'tool_use' && read.isStructured && read.toolCalls.length === 0) return 'stop';
  const known = Object.hasOwn(finishReasons, reason) ? finishReasons[reason] : undefined;
  if (known === undefined || reason === 'pause_turn')
    warnings.push(`stop_reason: '${reason.slice(0, 60)}' was read as stop`);
  return known ?? 'stop';
}

function toChatMessage({ text, reasoning, toolCalls }: ReadContent, message: Fields): Record<string, unknown> {
  const details = message.stop_reason === 'refusal' && isFields(message.stop_details) ? message.stop_details : {};
  const refusal = typeof details.explanation === 'string' ? details.explanation : null;
  return {
    role: 'assistant',
    content: text === '' && (toolCalls.length > 0 || refusal !== null) ? null : text,
    refusal,
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
    ...(reasoning !== '' && { reasoning_content: reasoning }),
  };
}
