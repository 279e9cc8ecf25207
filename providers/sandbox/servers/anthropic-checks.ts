import { isRecord, type RequestBody } from './answer.ts';
import { type AnthropicError, invalid, notFound } from './anthropic-errors.ts';

/** Members of a Messages body that exist; any other is refused, as the real service does. */
const members = new Set([
  'model',
  'max_tokens',
  'messages',
  'system',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'metadata',
  'service_tier',
  'stream',
  'cache_control',
  'inference_geo',
]);

const blockTypes = new Set(['text', 'image', 'document', 'tool_use', 'tool_result', 'thinking', 'redacted_thinking']);
const samplers = ['temperature', 'top_p', 'top_k'];

/** What is wrong with a Messages body; null when it is fine. `version` is that of the call. */
export function checkMessages(body: RequestBody, models: readonly string[], version: string): AnthropicError | null {
  const stranger = Object.keys(body).find((name) => !members.has(name));
  if (stranger !== undefined) return invalid(`${stranger}: Extra inputs are not permitted`);
  const sampler = version === '2026-10-21' ? samplers.find((name) => body[name] !== undefined) : undefined;
  if (sampler !== undefined) return invalid(`${sampler}: Extra inputs are not permitted`);
  if (typeof body.model !== 'string') return invalid('model: Field required');
  if (!models.includes(body.model)) return notFound(`model: ${body.model}`);
  const { max_tokens: most, messages, temperature, stop_sequences: stops } = body;
  if (most === undefined) return invalid('max_tokens: Field required');
  if (typeof most !== 'number' || !Number.isInteger(most) || most < 1) {
    return invalid('max_tokens: Input should be greater than or equal to 1');
  }
  if (temperature !== undefined && (typeof temperature !== 'number' || temperature < 0 || temperature > 1)) {
    return invalid('temperature: range: 0..1');
  }
  if (Array.isArray(stops) && stops.some((stop) => typeof stop !== 'string' || stop.trim() === '')) {
    return invalid('stop_sequences: each stop sequence must contain non-whitespace');
  }
  return checkTurns(messages) ?? checkThinking(body, most);
}

function checkTurns(messages: unknown): AnthropicError | null {
  if (!Array.isArray(messages) || messages.length === 0) return invalid('messages: at least one message is required');
  let calls = new Set<unknown>();
  for (const [index, message] of messages.entries()) {
    if (!isRecord(message)) return invalid(`messages.${index}: Input should be an object`);
    const { role, content } = message;
    if (role !== 'user' && role !== 'assistant')
      return invalid(`messages.${index}.role: Input should be 'user' or 'assistant'`);
    if (index === 0 && role !== 'user') return invalid('messages: first message must use the "user" role');
    const blocks: unknown[] =
      typeof content === 'string' ? [{ type: 'text', text: content }] : Array.isArray(content) ? content : [];
    if (blocks.length === 0) return invalid(`messages.${index}: all messages must have non-empty content`);
    const problem = checkBlocks(blocks, index, calls);
    if (problem !== null) return problem;
    calls = new Set(
      blocks
        .filter(isRecord)
        .filter(({ type }) => type === 'tool_use')
        .map(({ id }) => id),
    );
  }
  return null;
}

function checkBlocks(blocks: readonly unknown[], index: number, calls: ReadonlySet<unknown>): AnthropicError | null {
  const answered = new Set<unknown>();
  for (const [number, block] of blocks.entries()) {
    const path = `messages.${index}.content.${number}`;
    if (!isRecord(block) || !blockTypes.has(String(block.type))) return invalid(`${path}: Input tag is not valid`);
    if (block.type === 'text' && (typeof block.text !== 'string' || block.text === '')) {
      return invalid('messages: text content blocks must be non-empty');
    }
    if (block.type === 'tool_use' && !/^[a-zA-Z0-9_-]+$/.test(String(block.id))) {
      return invalid(`${path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`);
    }
    if (block.type !== 'tool_result') continue;
    if (!calls.has(block.tool_use_id))
      return invalid(`${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks`);
    answered.add(block.tool_use_id);
  }
  const isAnswered = [...calls].every((id) => answered.has(id));
  return isAnswered ? null : invalid(`messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks`);
}

function checkThinking(
  { thinking, tool_choice: choice, temperature }: RequestBody,
  most: number,
): AnthropicError | null {
  if (!isRecord(thinking) || thinking.type === 'disabled') return null;
  const { budget_tokens: budget } = thinking;
  if (thinking.type === 'enabled') {
    if (typeof budget !== 'number' || budget < 1024) return invalid('thinking.enabled.budget_tokens: at least 1024');
    if (budget >= most) return invalid('`max_tokens` must be greater than `thinking.budget_tokens`');
  }
  if (temperature !== undefined && temperature !== 1) {
    return invalid('`temperature` may only be set to 1 when thinking is enabled');
  }
  const isForced = isRecord(choice) && (choice.type === 'any' || choice.type === 'tool');
  return isForced ? invalid('Thinking may not be enabled when tool_choice forces tool use.') : null;
}

const customIdPattern = /^[a-zA-Z0-9_-]{1,64}$/;

/** What is wrong with a create body; its `params` are only looked at later. */
export function checkBatch(body: unknown, mostRequests: number): AnthropicError | null {
  const requests = isRecord(body) ? body.requests : undefined;
  if (!Array.isArray(requests)) return invalid('requests: Field required');
  if (requests.length === 0) return invalid('requests: List should have at least 1 item after validation, not 0');
  if (requests.length > mostRequests) return invalid(`requests: List should have at most ${mostRequests} items`);
  const ids = new Set<string>();
  for (const [index, request] of requests.entries()) {
    const id = isRecord(request) ? request.custom_id : undefined;
    if (typeof id !== 'string' || !customIdPattern.test(id)) {
      return invalid(`requests.${index}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`);
    }
    if (ids.has(id)) return invalid(`requests: custom_id must be unique: ${id}`);
    ids.add(id);
    if (!isRecord(request) || !isRecord(request.params)) return invalid(`requests.${index}.params: Field required`);
  }
  return null;
}
