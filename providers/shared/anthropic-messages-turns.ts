import { tryParseExact } from '../../src/core/exact-json.ts';
import { type Block, blocksOf, cacheControlOf } from './anthropic-messages-content.ts';
import { type Fields, type Mapping, refuse, refuseInvalid, warn } from './anthropic-messages-mapping.ts';
import { isFields } from './error-body.ts';

interface Turn {
  role: 'user' | 'assistant';
  content: Block[];
}

interface Conversation {
  /** Absent when there is no instruction. */
  system?: string | Block[];
  messages: { role: Turn['role']; content: string | Block[] }[];
}

/** Members of a message that the model would not see anyway, or that Messages has no place for. */
const leftOut = ['name', 'annotations', 'reasoning_content', 'reasoning'];
const known: ReadonlySet<string> = new Set([
  ...leftOut,
  'role',
  'content',
  'refusal',
  'tool_calls',
  'tool_call_id',
  'audio',
  'function_call',
  'cache_control',
  'prompt_cache_breakpoint',
]);

/**
 * Chat messages as `system` and turns. Instructions go to `system` in their order; the answers to one turn's tool calls
 * go into one user turn, first, as Messages demands.
 */
export function conversationOf(messages: unknown, mapping: Mapping): Conversation {
  if (!Array.isArray(messages)) return refuseInvalid('messages', `'messages' must be a list.`);
  const system: Block[] = [];
  const turns: Turn[] = [];
  const ids = new ToolCallIds();
  messages.forEach((message: unknown, index) => {
    const path = `messages[${index}]`;
    if (!isFields(message)) refuseInvalid(path, `'${path}' must be an object.`);
    checkMembers(message, path, mapping);
    switch (message.role) {
      case 'system':
      case 'developer':
        if (turns.length > 0) warn(mapping, `${path}: an instruction in mid-conversation was moved to the beginning`);
        system.push(...instructionOf(message, path, mapping));
        return;
      case 'user':
        turns.push({ role: 'user', content: userContent(message, path, mapping) });
        return;
      case 'assistant':
        turns.push({ role: 'assistant', content: assistantContent(message, path, mapping, ids) });
        return;
      case 'tool':
        addToolResult(turns, toolResult(message, path, mapping, ids));
        return;
      default:
        refuse(`${path}.role`, `Messages of role ${JSON.stringify(message.role)} have no equivalent ('${path}.role').`);
    }
  });
  checkEnds(turns, mapping);
  return {
    ...(system.length > 0 && { system: simplest(system) }),
    messages: turns.map(({ role, content }) => ({ role, content: simplest(content) })),
  };
}

/** One plain text as a string, everything else as blocks. */
function simplest(blocks: Block[]): string | Block[] {
  const [only] = blocks;
  const isPlain = blocks.length === 1 && only?.type === 'text' && only.cache_control === undefined;
  return isPlain && typeof only.text === 'string' ? only.text : blocks;
}

function checkMembers(message: Fields, path: string, mapping: Mapping): void {
  for (const name of Object.keys(message)) {
    if (!known.has(name))
      refuse(`${path}.${name}`, `'${path}.${name}' has no equivalent at ${mapping.options.provider}.`);
  }
  for (const name of leftOut) {
    const value = message[name];
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
    warn(mapping, `${name} of messages was left out: the Messages API has no place for it`);
  }
}

function instructionOf(message: Fields, path: string, mapping: Mapping): Block[] {
  const blocks = withCacheControl(blocksOf(message.content, `${path}.content`, mapping), message, path, mapping);
  if (blocks.some((block) => block.type !== 'text')) {
    refuse(`${path}.content`, `'${path}.content' may hold only text: it is an instruction.`);
  }
  return blocks;
}

function userContent(message: Fields, path: string, mapping: Mapping): Block[] {
  const blocks = blocksOf(message.content, `${path}.content`, mapping);
  if (blocks.length === 0) refuse(`${path}.content`, `'${path}.content' is empty, which Claude refuses.`);
  return withCacheControl(blocks, message, path, mapping);
}

function assistantContent(message: Fields, path: string, mapping: Mapping, ids: ToolCallIds): Block[] {
  if (message.audio)
    refuse(`${path}.audio`, `'${path}.audio' names an earlier answer in audio, which Claude does not know.`);
  if (message.function_call) refuse(`${path}.function_call`, `'${path}.function_call' is deprecated. Use tool_calls.`);
  const blocks = blocksOf(message.content, `${path}.content`, mapping);
  if (blocks.some((block) => block.type !== 'text')) {
    refuse(`${path}.content`, `'${path}.content' may hold only text: it is the assistant's.`);
  }
  if (typeof message.refusal === 'string' && message.refusal !== '')
    blocks.push({ type: 'text', text: message.refusal });
  blocks.push(...toolCallsOf(message.tool_calls, `${path}.tool_calls`, ids));
  if (blocks.length === 0)
    refuse(`${path}.content`, `'${path}' says nothing, which Claude refuses. Remove the message.`);
  return withCacheControl(blocks, message, path, mapping);
}

/** A breakpoint on the message stands behind its last block. */
function withCacheControl(blocks: Block[], message: Fields, path: string, mapping: Mapping): Block[] {
  const last = blocks.at(-1);
  if (last !== undefined) Object.assign(last, cacheControlOf(message, path, mapping));
  return blocks;
}

function toolCallsOf(calls: unknown, path: string, ids: ToolCallIds): Block[] {
  if (calls === undefined || calls === null) return [];
  if (!Array.isArray(calls)) return refuseInvalid(path, `'${path}' must be a list.`);
  return calls.map((call: unknown, index) => {
    const callPath = `${path}[${index}]`;
    if (!isFields(call) || typeof call.id !== 'string')
      return refuseInvalid(callPath, `'${callPath}' must have an id.`);
    const called = call.function;
    if ((call.type !== undefined && call.type !== 'function') || !isFields(called)) {
      return refuse(callPath, `'${callPath}' is not a function call; other tools have no equivalent.`);
    }
    if (typeof called.name !== 'string')
      return refuseInvalid(callPath, `'${callPath}.function.name' must be a string.`);
    const input = parseArguments(called.arguments, `${callPath}.function.arguments`);
    return { type: 'tool_use', id: ids.safe(call.id), name: called.name, input };
  });
}

/** An empty text stands for a call without arguments. */
function parseArguments(text: unknown, path: string): Fields {
  if (text === undefined || text === null || text === '') return {};
  const value = typeof text === 'string' ? tryParseExact(text) : undefined;
  return isFields(value) ? value : refuseInvalid(path, `'${path}' must be the text of a JSON object.`);
}

function toolResult(message: Fields, path: string, mapping: Mapping, ids: ToolCallIds): Block {
  const id = message.tool_call_id;
  if (typeof id !== 'string' || id === '') {
    return refuseInvalid(`${path}.tool_call_id`, `'${path}.tool_call_id' must name the call it answers.`);
  }
  const content = blocksOf(message.content, `${path}.content`, mapping);
  return {
    type: 'tool_result',
    tool_use_id: ids.safe(id),
    ...(content.length > 0 && { content: simplest(content) }),
    ...cacheControlOf(message, path, mapping),
  };
}

function addToolResult(turns: Turn[], result: Block): void {
  const last = turns.at(-1);
  if (last?.role === 'user' && last.content.every((block) => block.type === 'tool_result')) last.content.push(result);
  else turns.push({ role: 'user', content: [result] });
}

function checkEnds(turns: Turn[], mapping: Mapping): void {
  const { family } = mapping.options;
  const last = turns.at(-1);
  if (last === undefined) refuse('messages', `'messages' must hold a message that is not an instruction.`);
  if (turns[0]?.role !== 'user') refuse('messages', 'The first message after the instructions must be of role user.');
  if (last.role === 'user') return;
  if (!family.prefill) {
    refuse('messages', `The last message is the assistant's, which ${family.name} does not continue.`);
  }
  warn(mapping, `the last message is the assistant's: Claude continues it instead of answering it`);
  const text = last.content.at(-1);
  // The API refuses a beginning that ends in white space.
  if (text !== undefined && typeof text.text === 'string') text.text = text.text.trimEnd();
}

/** Ids of tool calls in the alphabet that Messages allows; one that has to change stays distinct within the request. */
class ToolCallIds {
  readonly #safeById = new Map<string, string>();
  readonly #taken = new Set<string>();

  safe(id: string): string {
    const known = this.#safeById.get(id);
    if (known !== undefined) return known;
    const plain = id.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, 60) || 'call';
    let safe = id.length <= 64 && plain === id ? id : plain;
    for (let number = 2; this.#taken.has(safe); number += 1) safe = `${plain}_${number}`;
    this.#taken.add(safe);
    this.#safeById.set(id, safe);
    return safe;
  }
}
