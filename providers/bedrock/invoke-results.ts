/** Answers of InvokeModel to chat requests, by family. Pure. Source: the user guide's response fields of each family. */
import { type UsageReading, usageFromOpenAI } from '../../src/core/usage.ts';
import { isFields } from '../shared/error-body.ts';
import type { InvokeForm } from './models.ts';
import { readConverseUsage, readCounts } from './usage.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What a model said, before it is put into the shape of an endpoint. */
export interface Said {
  text: string;
  reasoning: string;
  /** In OpenAI's form. */
  calls: readonly unknown[];
  /** Why it ended, in OpenAI's words. */
  finish: string;
  /** The model's own word, when it is unknown. */
  unknownStop: string | null;
  reading: UsageReading;
}

/** The words of the families for why an answer ended. */
const finishReasons: ReadonlyMap<string, string> = new Map(
  Object.entries({
    stop: 'stop',
    end_turn: 'stop',
    stop_sequence: 'stop',
    FINISH: 'stop',
    FINISHED: 'stop',
    STOP_CRITERIA_MET: 'stop',
    length: 'length',
    max_tokens: 'length',
    LENGTH: 'length',
    tool_calls: 'tool_calls',
    tool_use: 'tool_calls',
    content_filter: 'content_filter',
    content_filtered: 'content_filter',
    CONTENT_FILTERED: 'content_filter',
    guardrail_intervened: 'content_filter',
    RAG_QUERY_WHEN_RAG_DISABLED: 'stop',
  }),
);

/** Reads an output; null when it holds no answer. `nova` answers as Converse does, and is not read here. */
export function readInvoked(form: Exclude<InvokeForm, 'nova'>, output: Fields): Said | null {
  switch (form) {
    case 'llama2':
    case 'llama3':
    case 'llama4': {
      const reading = readCounts(output, 'prompt_token_count', 'generation_token_count');
      return typeof output.generation === 'string' ? said(output.generation, output.stop_reason, reading) : null;
    }
    case 'mistral': {
      const first = firstOf(output.outputs);
      // Only a job's totals tell the tokens.
      return typeof first?.text === 'string' ? said(first.text, first.stop_reason, readConverseUsage(output)) : null;
    }
    case 'titan-text': {
      const first = firstOf(output.results);
      const counts = { inputTextTokenCount: output.inputTextTokenCount, tokenCount: first?.tokenCount };
      const reading = readCounts(counts, 'inputTextTokenCount', 'tokenCount');
      return typeof first?.outputText === 'string' ? said(first.outputText, first.completionReason, reading) : null;
    }
    case 'mistral-chat':
    case 'openai-chat':
      return readChat(output);
  }
}

function readChat(output: Fields): Said | null {
  const choice = firstOf(output.choices);
  const message = choice?.message;
  if (!isFields(message)) return null;
  const reading = isFields(output.usage) ? usageFromOpenAI(output) : readConverseUsage({});
  const { text: content, thoughts } = readContent(message.content);
  // gpt-oss puts its thoughts in front of the answer, in the same text.
  const thought = /^\s*<reasoning>([\s\S]*?)<\/reasoning>/.exec(content);
  const stated = typeof message.reasoning_content === 'string' ? message.reasoning_content : '';
  return {
    ...said(content.slice(thought?.[0].length ?? 0), choice?.finish_reason ?? choice?.stop_reason, reading),
    reasoning: thought?.[1] ?? (stated === '' ? thoughts : stated),
    calls: Array.isArray(message.tool_calls) ? message.tool_calls : [],
  };
}

/** A text, or Mistral's list of chunks, in which models that think say it apart (Mistral AI's API, ThinkChunk). */
function readContent(content: unknown): { text: string; thoughts: string } {
  if (typeof content === 'string') return { text: content, thoughts: '' };
  const chunks = (Array.isArray(content) ? content : []).filter(isFields);
  const textIn = (list: readonly Fields[]) => list.map(({ text }) => (typeof text === 'string' ? text : '')).join('');
  const thinking = chunks.flatMap((chunk) => (Array.isArray(chunk.thinking) ? chunk.thinking.filter(isFields) : []));
  return { text: textIn(chunks), thoughts: textIn(thinking) };
}

function said(text: string, stop: unknown, reading: UsageReading): Said {
  const word = typeof stop === 'string' ? stop : '';
  const finish = finishReasons.get(word);
  return {
    text,
    reasoning: '',
    calls: [],
    finish: finish ?? 'stop',
    unknownStop: finish === undefined ? word : null,
    reading,
  };
}

function firstOf(list: unknown): Fields | null {
  const first: unknown = Array.isArray(list) ? list[0] : null;
  return isFields(first) ? first : null;
}
