import { tryParseExact } from '../../src/core/exact-json.ts';
import { isFields } from '../shared/error-body.ts';
import { isBreakpoint, otherMembers } from '../shared/message-members.ts';
import { assistantBlocks, cachePoint, textBlocks, userBlocks } from './content.ts';
import { type Block, type ConverseMessage, type Draft, warnOnce } from './draft.ts';
import { invalid, unsupported } from './refused.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * OpenAI's messages as Converse's: instructions apart, roles in turns. Messages of one role that follow each other become
 * one, so the results of one turn's tool calls stand together in the user message right behind it, as Converse demands.
 */
export function addMessages(messages: unknown, draft: Draft): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid('messages', 'messages must be a list with at least one message.');
  }
  for (const [index, message] of messages.entries()) {
    const path = `messages[${index}]`;
    if (!isFields(message)) throw invalid(path, `${path} must be an object with a role.`);
    if (message.name !== undefined && message.name !== null) {
      warnOnce(draft, 'name of messages was left out: Bedrock has no names');
    }
    for (const name of otherMembers(message)) {
      if (!isBreakpoint(name)) warnOnce(draft, `${name} of messages was left out: Bedrock has no place for it`);
    }
    addMessage(message, path, draft);
  }
  if (draft.messages.length === 0) {
    throw unsupported('messages', `messages: ${draft.model} needs a user message that is not empty.`);
  }
  if (draft.family.system === false && draft.system.length > 0) foldSystem(draft);
}

function addMessage(message: Fields, path: string, draft: Draft): void {
  const place = `${path}.content`;
  switch (message.role) {
    case 'system':
    case 'developer':
      if (draft.messages.length > 0) {
        warnOnce(draft, 'a system message between others was moved to the front: Bedrock has one place for them');
      }
      draft.system.push(...withCachePoint(textBlocks(message.content, place, draft), message, draft));
      return;
    case 'user':
      addTurn(draft, 'user', withCachePoint(userBlocks(message.content, place, draft), message, draft));
      return;
    case 'assistant':
      addTurn(draft, 'assistant', withCachePoint(assistantTurn(message, path, draft), message, draft));
      return;
    case 'tool':
      addTurn(draft, 'user', withCachePoint([toolResult(message, path, draft)], message, draft));
      return;
    default:
      throw unsupported(`${path}.role`, `${path}.role '${String(message.role)}' has no equivalent at Bedrock.`);
  }
}

function addTurn(draft: Draft, role: ConverseMessage['role'], content: Block[]): void {
  if (content.length === 0) {
    warnOnce(draft, 'an empty message was left out: Bedrock takes none');
    return;
  }
  const last = draft.messages.at(-1);
  if (last?.role === role) last.content.push(...content);
  else draft.messages.push({ role, content });
}

/** Mistral's and Titan's templates know no system role: instructions open the first user turn. */
function foldSystem(draft: Draft): void {
  warnOnce(draft, `the system message was put in front of the first user message: ${draft.model} has no system role`);
  const text = draft.system.map((block) => String(block.text)).join('\n\n');
  const first = draft.messages[0];
  if (first?.role === 'user') first.content.unshift({ text: `${text}\n\n` });
  else draft.messages.unshift({ role: 'user', content: [{ text }] });
  draft.system = [];
}

/** What the assistant said, refused and called. */
function assistantTurn(message: Fields, path: string, draft: Draft): Block[] {
  const { audio, content, refusal } = message;
  if (isFields(audio)) throw unsupported(`${path}.audio`, `${path}.audio: earlier audio answers cannot be sent.`);
  const refused = typeof refusal === 'string' && refusal.trim() !== '' ? [{ text: refusal }] : [];
  return [...assistantBlocks(content, `${path}.content`, draft), ...refused, ...toolUses(message, path, draft)];
}

/** A breakpoint on the message stands behind its last block. */
function withCachePoint(blocks: Block[], message: Fields, draft: Draft): Block[] {
  return blocks.length === 0 ? blocks : [...blocks, ...cachePoint(message, draft)];
}

function toolUses(message: Fields, path: string, draft: Draft): Block[] {
  if (message.function_call !== undefined && message.function_call !== null) {
    throw unsupported(`${path}.function_call`, `${path}.function_call is deprecated and has no ids. Use tool_calls.`);
  }
  const calls = message.tool_calls;
  if (calls === undefined || calls === null) return [];
  if (!Array.isArray(calls)) throw invalid(`${path}.tool_calls`, `${path}.tool_calls must be a list.`);
  if (calls.length > 0) requireTools(draft, `${path}.tool_calls`);
  return calls.map((call: unknown, index) => {
    const place = `${path}.tool_calls[${index}]`;
    const made = isFields(call) ? call.function : undefined;
    if (!isFields(call) || !isFields(made) || typeof made.name !== 'string') {
      throw unsupported(place, `${place}: only calls of functions can be expressed at Bedrock.`);
    }
    const input = parseArguments(made.arguments, `${place}.function.arguments`);
    return { toolUse: { toolUseId: toolUseId(call.id, `${place}.id`), name: made.name, input } };
  });
}

function parseArguments(text: unknown, place: string): Fields {
  if (text === undefined || text === null || text === '') return {};
  const parsed = typeof text === 'string' ? tryParseExact(text) : text;
  if (isFields(parsed)) return parsed;
  throw invalid(place, `${place} must be the JSON text of an object.`);
}

function toolResult(message: Fields, path: string, draft: Draft): Block {
  requireTools(draft, `${path}.role`);
  const content = textBlocks(message.content, `${path}.content`, draft).filter((block) => 'text' in block);
  const id = toolUseId(message.tool_call_id, `${path}.tool_call_id`);
  // An empty result is a result; Converse wants a block for it, and takes an empty JSON object but no empty text.
  return { toolResult: { toolUseId: id, content: content.length > 0 ? content : [{ json: {} }] } };
}

function requireTools(draft: Draft, param: string): void {
  if (draft.family.tools !== true) throw unsupported(param, `${param}: ${draft.model} does not call tools.`);
}

/** Service model of bedrock-runtime, ToolUseId. */
function toolUseId(id: unknown, place: string): string {
  if (typeof id === 'string' && /^[a-zA-Z0-9_.:-]{1,64}$/.test(id)) return id;
  throw unsupported(place, `${place} must be 1 to 64 letters, digits or _.:- for Bedrock.`);
}
