/**
 * A request of Anthropic's Messages API as a chat completion (platform.claude.com/docs, Messages; the SDK's
 * resources/messages). What cannot be said there is refused by name, never dropped.
 */
import { type Fields, isFields } from './fields.ts';

/** Why a request cannot be taken. */
export class MessagesProblem extends Error {
  override readonly name = 'MessagesProblem';
}

/** Settings with a counterpart of the same meaning. */
const RENAMED: Readonly<Record<string, string>> = {
  max_tokens: 'max_tokens',
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  stop_sequences: 'stop',
  model: 'model',
  stream: 'stream',
  config: 'config',
};

/** Taken care of below, or without a meaning here. */
const HANDLED = new Set([
  'messages',
  'system',
  'tools',
  'tool_choice',
  'metadata',
  'thinking',
  'output_config',
  'service_tier',
]);

/** The chat completion that a Messages request asks for. Throws MessagesProblem. */
export function chatOfMessages(request: Fields): Fields {
  const body: Fields = {};
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined || value === null || HANDLED.has(name)) continue;
    const chatName = RENAMED[name];
    if (chatName === undefined) throw new MessagesProblem(`${name}: Extra inputs are not permitted`);
    body[chatName] = value;
  }
  if (typeof request.model !== 'string') throw new MessagesProblem('model: Field required');
  if (!Number.isSafeInteger(request.max_tokens))
    throw new MessagesProblem('max_tokens: Field required, as a whole number');
  if (!Array.isArray(request.messages)) throw new MessagesProblem('messages: Field required');
  body.messages = [...systemMessages(request.system), ...request.messages.flatMap(toTurns)];
  return { ...body, ...toolSettings(request), ...thinkingSettings(request) };
}

function systemMessages(system: unknown): Fields[] {
  if (system === undefined || system === null || system === '') return [];
  if (typeof system === 'string') return [{ role: 'system', content: system }];
  return [{ role: 'system', content: textOf(system, 'system') }];
}

function toTurns(message: unknown, index: number): Fields[] {
  const place = `messages.${index}`;
  if (!isFields(message)) throw new MessagesProblem(`${place}: Input should be an object`);
  const { role, content } = message;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new MessagesProblem(`${place}.role: Input should be 'user' or 'assistant'`);
  }
  if (typeof content === 'string') return [{ role, content }];
  if (!Array.isArray(content))
    throw new MessagesProblem(`${place}.content: Input should be a string or a list of blocks`);
  if (role === 'system') return [{ role, content: textOf(content, place) }];
  return role === 'user' ? userTurns(content, place) : [assistantTurn(content, place)];
}

/** Results of tools are turns of their own in a chat, before what the user says beside them. */
function userTurns(content: unknown[], place: string): Fields[] {
  const turns: Fields[] = [];
  const parts: Fields[] = [];
  for (const [index, block] of content.entries()) {
    const at = `${place}.content.${index}`;
    if (!isFields(block)) throw new MessagesProblem(`${at}: Input should be an object`);
    if (block.type === 'tool_result') turns.push(toolTurn(block, at));
    else parts.push(userPart(block, at));
  }
  if (parts.length === 0) return turns;
  const single = parts.length === 1 && parts[0]?.type === 'text' ? parts[0].text : parts;
  return [...turns, { role: 'user', content: single }];
}

function toolTurn(block: Fields, at: string): Fields {
  const { content } = block;
  const text =
    content === undefined || content === null ? '' : typeof content === 'string' ? content : textOf(content, at);
  return { role: 'tool', tool_call_id: block.tool_use_id, content: block.is_error === true ? `Error: ${text}` : text };
}

function userPart(block: Fields, at: string): Fields {
  const source = isFields(block.source) ? block.source : {};
  if (block.type === 'text') return { type: 'text', text: block.text };
  if (block.type === 'image' && source.type === 'url') return { type: 'image_url', image_url: { url: source.url } };
  if (block.type === 'image' && source.type === 'base64') {
    return { type: 'image_url', image_url: { url: `data:${String(source.media_type)};base64,${String(source.data)}` } };
  }
  if (block.type === 'document' && source.type === 'text') return { type: 'text', text: source.data };
  if (block.type === 'document' && source.type === 'base64') {
    const filename = typeof block.title === 'string' ? block.title : 'document.pdf';
    const data = `data:${String(source.media_type)};base64,${String(source.data)}`;
    return { type: 'file', file: { filename, file_data: data } };
  }
  throw new MessagesProblem(`${at}: blocks of type '${String(block.type)}' cannot be sent through this server`);
}

function assistantTurn(content: unknown[], place: string): Fields {
  const texts: string[] = [];
  const calls: Fields[] = [];
  for (const [index, block] of content.entries()) {
    if (!isFields(block)) throw new MessagesProblem(`${place}.content.${index}: Input should be an object`);
    if (block.type === 'text') texts.push(String(block.text));
    else if (block.type === 'tool_use') {
      const called = { name: block.name, arguments: JSON.stringify(block.input ?? {}) };
      calls.push({ id: block.id, type: 'function', function: called });
    } else if (block.type !== 'thinking' && block.type !== 'redacted_thinking') {
      // Thoughts of earlier turns are the model's own business; anything else would be missed.
      throw new MessagesProblem(
        `${place}.content.${index}: blocks of type '${String(block.type)}' cannot be sent through this server`,
      );
    }
  }
  const said = texts.length === 0 ? null : texts.join('');
  return { role: 'assistant', content: said, ...(calls.length > 0 && { tool_calls: calls }) };
}

function textOf(blocks: unknown, place: string): string {
  if (!Array.isArray(blocks)) throw new MessagesProblem(`${place}: Input should be a string or a list of text blocks`);
  return blocks
    .map((block: unknown) => {
      if (isFields(block) && block.type === 'text') return String(block.text);
      throw new MessagesProblem(`${place}: only text can be sent here`);
    })
    .join('\n');
}

function toolSettings({ tools, tool_choice: choice }: Fields): Fields {
  const settings: Fields = {};
  if (Array.isArray(tools) && tools.length > 0) settings.tools = tools.map(toTool);
  if (!isFields(choice)) return settings;
  if (choice.disable_parallel_tool_use === true) settings.parallel_tool_calls = false;
  switch (choice.type) {
    case 'auto':
    case 'none':
      return { ...settings, tool_choice: choice.type };
    case 'any':
      return { ...settings, tool_choice: 'required' };
    case 'tool':
      return { ...settings, tool_choice: { type: 'function', function: { name: choice.name } } };
    default:
      throw new MessagesProblem(`tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'`);
  }
}

function toTool(tool: unknown, index: number): Fields {
  if (!isFields(tool) || (tool.type !== undefined && tool.type !== null && tool.type !== 'custom')) {
    throw new MessagesProblem(`tools.${index}: tools that run at Anthropic cannot be used through this server`);
  }
  const { name, description, input_schema: parameters } = tool;
  return { type: 'function', function: { name, ...(description !== undefined && { description }), parameters } };
}

/** Budgets of thought, and effort, as the one word that chat completions have for them. */
function thinkingSettings({ thinking, output_config: output, metadata }: Fields): Fields {
  const settings: Fields = {};
  const config = isFields(output) ? output : {};
  if (typeof config.effort === 'string') settings.reasoning_effort = config.effort === 'max' ? 'high' : config.effort;
  else if (isFields(thinking) && thinking.type === 'enabled') {
    const budget = Number(thinking.budget_tokens);
    settings.reasoning_effort = budget < 4_096 ? 'low' : budget < 16_384 ? 'medium' : 'high';
  }
  if (isFields(config.format) && config.format.type === 'json_schema') {
    settings.response_format = {
      type: 'json_schema',
      json_schema: { name: 'answer', strict: true, schema: config.format.schema },
    };
  }
  if (isFields(metadata) && typeof metadata.user_id === 'string') settings.user = metadata.user_id;
  return settings;
}
