import type { EvalSample } from '../../protocol/eval-output-item.ts';
import type { OutputLine } from '../../protocol/result-line.ts';
import { type Fields, fieldsOf, listOf } from '../fields.ts';
import { findBadValue } from '../json-limits.ts';
import { emptyUsage, toBatchUsage, usageFromOpenAI } from '../usage.ts';
import type { Subject } from './grader.ts';

/** An answer, as it is shown and as graders see it. */
export interface Answer {
  sample: EvalSample;
  /** What graders see, less what `completeSample` adds. */
  subject: Fields;
  truncated: boolean;
  refused: boolean;
}

interface Said {
  text: string;
  tools: unknown[];
  refusal: string | null;
  finish: string | null;
}

/** What a line of a batch's output answers to messages. `body` is what was asked. */
export function answerOfLine(line: OutputLine, asked: { messages: readonly Fields[]; body: Fields }): Answer {
  const { response, error, weir } = line;
  const body = fieldsOf(response?.body);
  const failed = error !== null || response === null || response.status_code >= 400;
  const said = failed ? { text: '', tools: [], refusal: null, finish: null } : readSaid(body);
  const model = typeof body.model === 'string' && !failed ? body.model : (weir.model ?? String(asked.body.model ?? ''));
  const usage = toBatchUsage(usageFromOpenAI(body).usage ?? emptyUsage);
  const content = said.text === '' && said.refusal !== null ? said.refusal : said.text;
  return {
    sample: {
      ...requestOf(asked),
      output: failed ? [] : [{ role: 'assistant', content }],
      finish_reason: said.finish ?? weir.finish_reason,
      model,
      usage: {
        total_tokens: usage.total_tokens,
        completion_tokens: usage.output_tokens,
        prompt_tokens: usage.input_tokens,
        cached_tokens: usage.input_tokens_details.cached_tokens,
      },
      error: failed ? { code: error?.code ?? 'error', message: error?.message ?? 'The request failed.' } : null,
    },
    subject: {
      output_text: content,
      model,
      finish_reason: said.finish,
      ...(said.tools.length > 0 && { output_tools: said.tools }),
    },
    truncated: said.finish === 'length' || said.finish === 'max_output_tokens',
    refused: said.refusal !== null || said.finish === 'content_filter',
  };
}

/** An answer that a row brings along. */
export function answerOfRow(sample: Fields): Answer {
  const text = typeof sample.output_text === 'string' ? sample.output_text : '';
  const finish = typeof sample.finish_reason === 'string' ? sample.finish_reason : null;
  return {
    sample: {
      ...requestOf({ messages: listOf(sample.input), body: {} }),
      output: [{ role: 'assistant', content: text }],
      finish_reason: finish,
      model: typeof sample.model === 'string' ? sample.model : '',
      usage: { total_tokens: 0, completion_tokens: 0, prompt_tokens: 0, cached_tokens: 0 },
      error: null,
    },
    subject: sample,
    truncated: finish === 'length',
    refused: false,
  };
}

/** A sample with `output_json` where its text is JSON. */
export function completeSample(sample: Fields): Subject['sample'] {
  if (typeof sample.output_text !== 'string' || 'output_json' in sample) return sample;
  try {
    const value = JSON.parse(sample.output_text) as unknown;
    return isSound(value) ? { ...sample, output_json: value } : sample;
  } catch {
    return sample;
  }
}

/** False for what a model may write and no code can write again: nested without end, numbers beyond a double. */
export function isSound(value: unknown): boolean {
  return findBadValue({ value }) === null;
}

function requestOf({ messages, body }: { messages: readonly Fields[]; body: Fields }) {
  const number = (...names: string[]): number | null => {
    const value = names.map((name) => body[name]).find((each) => typeof each === 'number');
    return typeof value === 'number' ? value : null;
  };
  const whole = (value: number | null) => (value === null ? null : Math.trunc(value));
  return {
    input: messages.map(({ role, content }) => ({
      role: typeof role === 'string' ? role : 'user',
      content: typeof content === 'string' ? content : JSON.stringify(content ?? ''),
    })),
    temperature: number('temperature'),
    max_completion_tokens: whole(number('max_completion_tokens', 'max_tokens', 'max_output_tokens')),
    top_p: number('top_p'),
    seed: whole(number('seed')),
  };
}

function readSaid(body: Fields): Said {
  if (Array.isArray(body.output)) return readResponse(body);
  const [choice] = listOf(body.choices);
  const message = fieldsOf(choice?.message);
  return {
    text: typeof message.content === 'string' ? message.content : '',
    tools: Array.isArray(message.tool_calls) ? message.tool_calls.filter(isSound) : [],
    refusal: typeof message.refusal === 'string' && message.refusal !== '' ? message.refusal : null,
    finish: typeof choice?.finish_reason === 'string' ? choice.finish_reason : null,
  };
}

function readResponse(body: Fields): Said {
  const output = listOf(body.output);
  const content = output.flatMap((item) => listOf(item.content));
  const refusal = content.find(({ type }) => type === 'refusal');
  const reason = fieldsOf(body.incomplete_details).reason;
  return {
    text: content.map(({ type, text }) => (type === 'output_text' && typeof text === 'string' ? text : '')).join(''),
    tools: output.filter((item) => item.type === 'function_call' && isSound(item)),
    refusal: refusal === undefined ? null : String(refusal.refusal ?? ''),
    finish: typeof reason === 'string' ? reason : 'stop',
  };
}
