import { tryParseExact } from '../../src/core/exact-json.ts';
import { isFields } from '../shared/error-body.ts';
import { hasBreakpoint, otherMembers } from '../shared/message-members.ts';
import type { GeminiContent, GeminiPart } from './gemini.ts';
import { type PartContext, toParts, toText } from './gemini-parts.ts';
import { invalid, unsupported } from './refused.ts';

export interface Conversation {
  contents: GeminiContent[];
  system: string | null;
}

export interface MessageContext extends PartContext {
  signedCalls: boolean;
}

/** Stands where a signature of another provider's, or of nobody's, is missing (Google: "Thought signatures", FAQ). */
const anySignature = 'skip_thought_signature_validator';

/**
 * OpenAI's messages as Gemini's contents: system messages apart, neighbours of one role as one turn, all results of one
 * turn's calls together, in the order of the calls. Refuses by throwing.
 */
export function toConversation(messages: unknown, context: MessageContext): Conversation {
  if (!Array.isArray(messages) || messages.length === 0) {
    return invalid('messages', 'messages must be a list with at least one message.');
  }
  const system: string[] = [];
  const contents: GeminiContent[] = [];
  /** Names by id: a result names its call, Gemini its function. */
  const names = new Map<string, string>();
  for (const [index, message] of messages.entries()) {
    const at = `messages[${index}]`;
    if (!isFields(message)) return invalid(at, `${at} must be an object.`);
    noteLeftOut(message, context.warnings);
    switch (message.role) {
      case 'system':
      case 'developer':
        if (contents.length > 0) {
          context.warnings.add('a system message between others was moved to the front: Gemini has one place for them');
        }
        system.push(toText(message.content, `${at}.content`));
        break;
      case 'user':
        append(contents, 'user', nonEmpty(toParts(message.content, `${at}.content`, context), at));
        break;
      case 'assistant':
        append(contents, 'model', nonEmpty(assistantParts(message, at, names, context), at));
        break;
      case 'tool':
        append(contents, 'user', [resultPart(message, at, names)]);
        break;
      default:
        unsupported(`${at}.role`, `${at}.role must be system, developer, user, assistant or tool.`);
    }
  }
  const text = system.filter((part) => part !== '').join('\n\n');
  if (contents.length > 0) return { contents, system: text === '' ? null : text };
  if (text === '') return invalid('messages', 'messages hold no content.');
  context.warnings.add('the system message was sent as the user’s, for there is no other');
  return { contents: [{ role: 'user', parts: [{ text }] }], system: null };
}

function noteLeftOut(message: Fields, warnings: Set<string>): void {
  if (message.name !== undefined && message.name !== null) warnings.add('message names were left out');
  for (const name of otherMembers(message))
    warnings.add(`${name} of messages was left out: Gemini has no place for it`);
  if (Array.isArray(message.content) && message.content.some(hasBreakpoint)) {
    warnings.add('cache breakpoints were left out: Gemini finds what to cache by itself');
  }
}

function append(contents: GeminiContent[], role: GeminiContent['role'], parts: GeminiPart[]): void {
  const last = contents.at(-1);
  // A turn of results holds nothing else: what the user says after them is a turn of its own.
  const isSame = last?.role === role && isResult(last.parts[0]) === isResult(parts[0]);
  if (last !== undefined && isSame) last.parts.push(...parts);
  else contents.push({ role, parts });
}

function isResult(part: GeminiPart | undefined): boolean {
  return part?.functionResponse !== undefined;
}

function nonEmpty(parts: GeminiPart[], at: string): GeminiPart[] {
  return parts.length > 0 ? parts : invalid(`${at}.content`, `${at} has no content, which this model refuses.`);
}

type Fields = Readonly<Record<string, unknown>>;

function assistantParts(
  message: Fields,
  at: string,
  names: Map<string, string>,
  context: MessageContext,
): GeminiPart[] {
  const { tool_calls: calls, refusal } = message;
  if (isFields(message.audio)) unsupported(`${at}.audio`, `${at}.audio: earlier audio answers cannot be sent.`);
  if (isFields(message.function_call)) unsupported(`${at}.function_call`, `${at}.function_call: use tool_calls.`);
  const said = toParts(message.content, `${at}.content`, context);
  const refused: GeminiPart[] = typeof refusal === 'string' && refusal !== '' ? [{ text: refusal }] : [];
  if (calls === undefined || calls === null) return [...said, ...refused];
  if (!Array.isArray(calls)) return invalid(`${at}.tool_calls`, `${at}.tool_calls must be a list.`);
  const made = calls.map((call: unknown, index) => callPart(call, `${at}.tool_calls[${index}]`, names));
  const first = made[0];
  if (context.signedCalls && first !== undefined) first.thoughtSignature ??= anySignature;
  return [...said, ...refused, ...made];
}

function callPart(call: unknown, at: string, names: Map<string, string>): GeminiPart {
  const called = isFields(call) ? call.function : undefined;
  if (!isFields(call) || !isFields(called)) return unsupported(at, `${at} must be the call of a function.`);
  if (typeof call.id !== 'string' || typeof called.name !== 'string')
    return invalid(at, `${at} needs an id and a name.`);
  names.set(call.id, called.name);
  const part: GeminiPart = { functionCall: { name: called.name, args: readArguments(called.arguments, at) } };
  const signature = signatureOf(call);
  return signature === null ? part : { ...part, thoughtSignature: signature };
}

function readArguments(text: unknown, at: string): object {
  if (text === undefined || text === null || text === '') return {};
  const args = tryParseExact(String(text));
  if (isFields(args)) return args;
  return invalid(`${at}.function.arguments`, `${at}.function.arguments must be a JSON object as text.`);
}

/** Where Google's own OpenAI-compatible endpoint puts it. */
function signatureOf(call: Fields): string | null {
  const google = isFields(call.extra_content) ? call.extra_content.google : undefined;
  const signature = isFields(google) ? google.thought_signature : undefined;
  return typeof signature === 'string' && signature !== '' ? signature : null;
}

function resultPart(message: Fields, at: string, names: ReadonlyMap<string, string>): GeminiPart {
  const name = names.get(String(message.tool_call_id));
  if (name === undefined) {
    return invalid(`${at}.tool_call_id`, `${at}.tool_call_id names no tool call of an earlier assistant message.`);
  }
  return { functionResponse: { name, response: { output: toText(message.content, `${at}.content`) } } };
}
