import type { ErrorBody } from '../protocol/error.ts';
import type { ResultDetails } from '../protocol/result-line.ts';
import { escapeLineSeparators } from './jsonl.ts';

/** What a finished line says, apart from its answer's body. */
export interface LineOutcome {
  /** 0-based line of the input file. */
  line: number;
  customId: string;
  batchId: string;
  /** null when there is no answer. */
  response: { statusCode: number; requestId: string | null } | null;
  /** Set on failures: also when there is a response, so that readers that only look at `error` see it. */
  error: Pick<ErrorBody, 'code' | 'message'> | null;
  details: ResultDetails;
}

/** A result line in pieces, without line feed: head, the body of the response if there is one, tail, details. */
export interface ResultText {
  head: string;
  /** The end of OpenAI's members: with a closing brace behind it they are a line of their own. */
  tail: string;
  /** Weir's own member, and the end of the line. */
  details: string;
}

/** The id of a result line: stable for a line of a batch, so that a repeated assembly gives the same bytes. */
export function resultId(batchId: string, line: number): string {
  return `batch_req_${batchId.slice('batch_'.length)}_${line + 1}`;
}

/** The 0-based line that the id of a batch's result line names; null when it is no such id. */
export function lineOfResult(batchId: string, id: string): number | null {
  const line = Number(/^batch_req_.+_(\d+)$/.exec(id)?.[1]) - 1;
  return Number.isSafeInteger(line) && resultId(batchId, line) === id ? line : null;
}

/** Writes a result line: OpenAI's members first, Weir's own last (core/part.ts relies on it). */
export function resultText({ line, customId, batchId, response, error, details }: LineOutcome): ResultText {
  const head = `{"id":"${resultId(batchId, line)}","custom_id":${jsonText(customId)},"response":`;
  const stated =
    error === null
      ? 'null'
      : escapeLineSeparators(JSON.stringify({ code: error.code ?? 'error', message: error.message }));
  const ended = `,"error":${stated}`;
  if (response === null) return { head: `${head}null`, tail: ended, details: detailsText(details) };
  const { statusCode, requestId } = response;
  return {
    head: `${head}{"status_code":${statusCode},"request_id":${jsonText(requestId)},"body":`,
    tail: `}${ended}`,
    details: detailsText(details),
  };
}

/** Characters that JSON writes as they are. */
const PLAIN = /^[ !#-[\]-~]*$/;
const PLAIN_LENGTH_MAX = 256;

/** As JSON.stringify writes it, with nothing in it that is taken for a line end. Ids and names are plain nearly always. */
export function jsonText(value: string | null): string {
  if (value !== null && value.length <= PLAIN_LENGTH_MAX && PLAIN.test(value)) return `"${value}"`;
  return escapeLineSeparators(JSON.stringify(value));
}

type Target = Pick<ResultDetails, 'provider' | 'model' | 'target'>;

/** What was named last: lines of one target mostly follow each other. */
let last: Target & { text: string } = { provider: null, model: null, target: null, text: '' };

function targetText({ provider, model, target }: Target): string {
  if (last.provider !== provider || last.model !== model || last.target !== target || last.text === '') {
    const text = `"provider":${jsonText(provider)},"model":${jsonText(model)},"target":${jsonText(target)}`;
    last = { provider, model, target, text };
  }
  return last.text;
}

/** The end of a result line, from behind its strict part. */
export function detailsText(details: ResultDetails): string {
  const { line, attempts, cost_nano_usd, warnings, finish_reason, input_tokens, output_tokens, raw } = details;
  const named = targetText(details);
  const warned = warnings.length === 0 ? '[]' : escapeLineSeparators(JSON.stringify(warnings));
  const counted = `"attempts":${attempts},"cost_nano_usd":${cost_nano_usd},"warnings":${warned}`;
  const said = `"finish_reason":${jsonText(finish_reason)},"input_tokens":${input_tokens},"output_tokens":${output_tokens}`;
  const kept = raw === undefined ? '' : `,"raw":${escapeLineSeparators(JSON.stringify(raw))}`;
  return `,"weir":{"line":${line},${named},${counted},${said}${kept}}}`;
}

/** Reads the details back from the end of a result line. */
export function parseDetails(tail: string): ResultDetails {
  return (JSON.parse(`{${tail.slice(1)}`) as { weir: ResultDetails }).weir;
}
