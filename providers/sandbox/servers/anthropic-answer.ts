import { createHash } from 'node:crypto';
import { isRecord, type RequestBody } from './answer.ts';
import type { AnthropicServerSettings } from './anthropic-settings.ts';
import { mixNumbers } from './random.ts';
import { countPromptTokens, countTokens, cutToTokens, writeText } from './text.ts';

interface Answered {
  content: object[];
  stopReason: string;
  outputTokens: number;
  thinkingTokens: number;
}

/** The message that answers a body; equal bodies get equal answers. */
export function answerMessages(
  body: RequestBody,
  settings: AnthropicServerSettings,
  tier: 'standard' | 'batch',
): object {
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const key = mixNumbers(Number.parseInt(digest.slice(0, 8), 16), settings.seed);
  const answered = writeContent(body, settings, key, digest);
  const usage = usageOf(body, settings, answered, tier);
  return {
    id: `msg_${digest.slice(0, 24)}`,
    type: 'message',
    role: 'assistant',
    model: body.model,
    content: answered.content,
    stop_reason: settings.stop_reason ?? answered.stopReason,
    stop_sequence: null,
    ...(settings.stop_reason === 'refusal' && {
      stop_details: { type: 'refusal', category: null, explanation: 'This cannot be answered.' },
    }),
    ...(usage !== null && { usage }),
  };
}

function writeContent(body: RequestBody, settings: AnthropicServerSettings, key: number, digest: string): Answered {
  const content: object[] = [];
  const thinks = isRecord(body.thinking) && body.thinking.type !== 'disabled';
  const thought = thinks ? 'First, the parts are looked at one by one.' : '';
  if (thinks) content.push({ type: 'thinking', thinking: thought, signature: digest });
  const thinkingTokens = countTokens(thought);
  const tool = forcedTool(body);
  if (tool !== null) {
    const input = { answer: writeText(key) };
    content.push({ type: 'tool_use', id: `toolu_${digest.slice(0, 24)}`, name: tool, input });
    const outputTokens = thinkingTokens + countTokens(JSON.stringify(input));
    return { content, stopReason: 'tool_use', outputTokens, thinkingTokens };
  }
  const { answer_characters: characters } = settings;
  const whole = characters === null ? textOf(body, key) : 'x'.repeat(characters);
  const allowed = characters === null ? Number(body.max_tokens) : Number.POSITIVE_INFINITY;
  const text = countTokens(whole) > allowed ? cutToTokens(whole, allowed) : whole;
  content.push({ type: 'text', text });
  const outputTokens = thinkingTokens + countTokens(text);
  return { content, stopReason: text === whole ? 'end_turn' : 'max_tokens', outputTokens, thinkingTokens };
}

function textOf(body: RequestBody, key: number): string {
  const format = isRecord(body.output_config) ? body.output_config.format : undefined;
  const text = writeText(key);
  return isRecord(format) ? JSON.stringify({ answer: text }) : text;
}

/** The tool that a forced choice names, or the first one. */
export function forcedTool({ tools, tool_choice: choice }: RequestBody): string | null {
  if (!isRecord(choice) || (choice.type !== 'any' && choice.type !== 'tool')) return null;
  const first: unknown = Array.isArray(tools) ? tools[0] : undefined;
  const name = choice.type === 'tool' ? choice.name : isRecord(first) ? first.name : null;
  return typeof name === 'string' ? name : null;
}

function usageOf(
  body: RequestBody,
  settings: AnthropicServerSettings,
  { outputTokens, thinkingTokens }: Answered,
  tier: string,
): object | null {
  if (settings.usage === 'absent') return null;
  const input = settings.usage === 'zeros' ? 0 : countPromptTokens(body.messages, body.system);
  const isCached = settings.usage === 'cached';
  return {
    input_tokens: input,
    output_tokens: settings.usage === 'zeros' ? 0 : outputTokens,
    cache_read_input_tokens: isCached ? 100 : 0,
    cache_creation_input_tokens: isCached ? 30 : 0,
    cache_creation: isCached ? { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 } : null,
    output_tokens_details: thinkingTokens > 0 ? { thinking_tokens: thinkingTokens } : null,
    server_tool_use: null,
    inference_geo: null,
    speed: null,
    service_tier: tier,
  };
}
