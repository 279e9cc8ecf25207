import { isRecord, type RequestBody } from './answer.ts';

const converseFields: ReadonlySet<string> = new Set([
  'messages',
  'system',
  'inferenceConfig',
  'toolConfig',
  'outputConfig',
  'additionalModelRequestFields',
  'additionalModelResponseFieldPaths',
  'requestMetadata',
  'performanceConfig',
  'serviceTier',
  'guardrailConfig',
]);
const claudeFields: ReadonlySet<string> = new Set([
  'anthropic_version',
  'anthropic_beta',
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
]);

/** Why Bedrock would refuse a Converse body; null when it would not. */
export function checkConverse(body: RequestBody): string | null {
  const unknown = Object.keys(body).find((name) => !converseFields.has(name));
  if (unknown !== undefined) return `Malformed input request: extraneous key [${unknown}] is not permitted`;
  const problem = checkTurns(body.messages) ?? checkBlocks(body.system);
  if (problem !== null) return problem;
  const config = isRecord(body.inferenceConfig) ? body.inferenceConfig : {};
  if (config.maxTokens !== undefined && !(Number(config.maxTokens) >= 1)) return 'maxTokens must be at least 1.';
  const isOutside = (value: unknown) => value !== undefined && !(Number(value) >= 0 && Number(value) <= 1);
  if (isOutside(config.temperature) || isOutside(config.topP)) return 'temperature and topP must be from 0 to 1.';
  return null;
}

/** Why Bedrock would refuse a body of Anthropic's Messages; null when it would not. */
export function checkClaude(body: RequestBody): string | null {
  if (body.anthropic_version === undefined) return 'anthropic_version: Field required';
  if (!(Number(body.max_tokens) >= 1)) return 'max_tokens: Field required';
  const unknown = Object.keys(body).find((name) => !claudeFields.has(name));
  if (unknown !== undefined) return `${unknown}: Extra inputs are not permitted`;
  return checkTurns(body.messages);
}

function checkTurns(messages: unknown): string | null {
  if (!Array.isArray(messages) || messages.length === 0) return 'messages: at least one message is required';
  for (const [index, message] of messages.entries()) {
    const role = isRecord(message) ? message.role : undefined;
    if (role !== (index % 2 === 0 ? 'user' : 'assistant')) {
      return 'A conversation must alternate between user and assistant roles and start with a user message.';
    }
    const content = isRecord(message) ? message.content : undefined;
    if (typeof content !== 'string' && (!Array.isArray(content) || content.length === 0)) {
      return `messages.${index}.content is empty`;
    }
    const problem = checkBlocks(content) ?? checkToolResults(messages, index);
    if (problem !== null) return problem;
  }
  return null;
}

function checkBlocks(blocks: unknown): string | null {
  if (!Array.isArray(blocks)) return null;
  const isBlank = blocks.some((block) => isRecord(block) && typeof block.text === 'string' && block.text.trim() === '');
  return isBlank ? 'The text field in the ContentBlock object is blank.' : null;
}

/** The results of one turn's calls must stand in the message right behind it. */
function checkToolResults(messages: readonly unknown[], index: number): string | null {
  const before = messages[index - 1];
  const asked = idsOf(before, 'toolUse', 'tool_use');
  const answered = idsOf(messages[index], 'toolResult', 'tool_result');
  if (index === 0 || messages.length === 0) return answered.length > 0 ? 'A tool result has no tool use.' : null;
  if (index % 2 === 1) return null;
  const isSame = asked.length === answered.length && asked.every((id) => answered.includes(id));
  return isSame ? null : 'Expected toolResult blocks for the toolUse blocks of the turn before.';
}

function idsOf(message: unknown, converse: string, claude: string): string[] {
  const content = isRecord(message) && Array.isArray(message.content) ? message.content : [];
  return content.flatMap((block: unknown) => {
    if (!isRecord(block)) return [];
    const own = block[converse];
    if (isRecord(own)) return [String(own.toolUseId)];
    return block.type === claude ? [String(block.id ?? block.tool_use_id)] : [];
  });
}
