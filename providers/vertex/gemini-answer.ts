import { isFields } from '../shared/error-body.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A candidate in OpenAI's form, or why it is no answer. */
export type Choice = { ok: true; choice: Record<string, unknown> } | { ok: false; reason: string };

/** Finish reasons by OpenAI's word; the others mean that there is no answer (reference of FinishReason). */
const finishWords: ReadonlyMap<string, string> = new Map([
  ['STOP', 'stop'],
  ['MAX_TOKENS', 'length'],
  ['CONTINUATION', 'length'],
  ['SAFETY', 'content_filter'],
  ['RECITATION', 'content_filter'],
  ['BLOCKLIST', 'content_filter'],
  ['PROHIBITED_CONTENT', 'content_filter'],
  ['SPII', 'content_filter'],
  ['IMAGE_SAFETY', 'content_filter'],
  ['IMAGE_PROHIBITED_CONTENT', 'content_filter'],
  ['IMAGE_RECITATION', 'content_filter'],
  ['MODEL_ARMOR', 'content_filter'],
]);

/** Those after which a text is an answer like any other. */
export const endWords: ReadonlyMap<string, string> = new Map(
  [...finishWords].filter(([, word]) => word === 'stop' || word === 'length'),
);

/** One candidate as a choice. `answerId` makes the ids of calls that have none unique and stable. */
export function toChoice(candidate: unknown, index: number, answerId: string, warnings: Set<string>): Choice {
  if (!isFields(candidate)) return { ok: false, reason: 'NO_CANDIDATE' };
  const content = isFields(candidate.content) ? candidate.content : {};
  const parts: unknown[] = Array.isArray(content.parts) ? content.parts : [];
  const { text, thoughts, calls } = readParts(parts, answerId, index, warnings);
  const reason = typeof candidate.finishReason === 'string' ? candidate.finishReason : 'STOP';
  const word = finishWords.get(reason);
  // Words of tomorrow: with an answer they end it, without one they say why not.
  const isEmpty = word === undefined && text === '' && calls.length === 0;
  if (isEmpty || brokenWords.has(reason)) return { ok: false, reason };
  const isFiltered = word === 'content_filter';
  const message = {
    role: 'assistant',
    content: text === '' && (calls.length > 0 || isFiltered) ? null : text,
    refusal: null,
    ...(thoughts !== '' && { reasoning_content: thoughts }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  const finish = calls.length > 0 && (word ?? 'stop') === 'stop' ? 'tool_calls' : (word ?? 'stop');
  const logprobs = toLogprobs(candidate.logprobsResult);
  return { ok: true, choice: { index, message, logprobs, finish_reason: finish } };
}

/** Half of a call or of a text is no answer, whatever came before it. */
const brokenWords: ReadonlySet<string> = new Set([
  'IMAGE_OTHER',
  'LANGUAGE',
  'MALFORMED_FUNCTION_CALL',
  'MALFORMED_RESPONSE',
  'NO_IMAGE',
  'OTHER',
  'TOO_MANY_TOOL_CALLS',
  'UNEXPECTED_TOOL_CALL',
]);

/** What parts of a candidate say, all in all. */
export interface Parts {
  text: string;
  thoughts: string;
  calls: Record<string, unknown>[];
}

/** Reads parts of the choice with this number. `before`: how many calls came before them. */
export function readParts(
  parts: unknown[],
  answerId: string,
  choice: number,
  warnings: Set<string>,
  before = 0,
): Parts {
  const read: Parts = { text: '', thoughts: '', calls: [] };
  for (const part of parts) {
    if (!isFields(part)) continue;
    if (isFields(part.functionCall)) {
      const id = `call_${answerId}_${choice}_${before + read.calls.length}`;
      read.calls.push(toCall(part.functionCall, part.thoughtSignature, id));
    } else if (typeof part.text === 'string') {
      if (part.thought === true) read.thoughts += part.text;
      else read.text += part.text;
    } else {
      const [kind] = Object.keys(part).filter((name) => !name.startsWith('thought'));
      if (kind !== undefined) warnings.add(`a part of the answer was left out: ${kind.slice(0, 40)}`);
    }
  }
  return read;
}

function toCall(called: Fields, signature: unknown, id: string): Record<string, unknown> {
  return {
    id: typeof called.id === 'string' && called.id !== '' ? called.id : id,
    type: 'function',
    function: { name: String(called.name ?? ''), arguments: JSON.stringify(called.args ?? {}) },
    // Whoever sends the call back with it lets the model go on with its thoughts.
    ...(typeof signature === 'string' && { extra_content: { google: { thought_signature: signature } } }),
  };
}

function toLogprobs(result: unknown): object | null {
  if (!isFields(result) || !Array.isArray(result.chosenCandidates)) return null;
  const top: unknown[] = Array.isArray(result.topCandidates) ? result.topCandidates : [];
  const content = result.chosenCandidates.map((chosen: unknown, index) => {
    const step = top[index];
    const others: unknown[] = isFields(step) && Array.isArray(step.candidates) ? step.candidates : [];
    return { ...toToken(chosen), top_logprobs: others.map(toToken) };
  });
  return { content, refusal: null };
}

const encoder = new TextEncoder();

function toToken(candidate: unknown): { token: string; logprob: number; bytes: number[] } {
  const { token, logProbability } = isFields(candidate) ? candidate : {};
  const text = typeof token === 'string' ? token : '';
  const logprob = typeof logProbability === 'number' ? logProbability : -9999;
  return { token: text, logprob, bytes: [...encoder.encode(text)] };
}
