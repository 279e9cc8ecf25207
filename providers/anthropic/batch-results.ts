import { LastingLines } from '../../src/core/lasting-lines.ts';
import { isJson } from '../../src/core/validate-input.ts';
import { HttpFailure } from '../../src/ports/http-client.ts';
import { type BatchCall, ProviderError } from '../contract.ts';
import { isBlank } from '../shared/answer.ts';
import { badResponse } from '../shared/openai-status.ts';
import { type AnthropicAccess, contextOf } from './client.ts';
import { providerErrorOf } from './control-fetch.ts';
import { failureOfControl } from './status.ts';

/** One line of the results; null when it was longer than may be kept. */
export interface ResultBytes {
  line: Uint8Array | null;
  bytes: number;
}

/**
 * The URL of a batch's results, if the credential may go there: the provider's word for it counts only on exactly the
 * configured origin. Throws ProviderError.
 */
export function checkResultsUrl(resultsUrl: string, access: AnthropicAccess): string {
  const url = URL.canParse(resultsUrl) ? new URL(resultsUrl) : null;
  const isOurs = url?.origin === new URL(access.baseUrl).origin && url.username === '' && url.password === '';
  if (url !== null && isOurs) return url.href;
  const message = `${access.provider} named results outside its own address, where the key is not sent.`;
  throw new ProviderError({ ...badResponse(200, message, 'results_url_refused') });
}

/**
 * The lines of one download, as they arrive; blank ones are left out. A download that breaks, or ends within a line,
 * throws ProviderError of kind `connection`, after the whole lines it brought.
 */
export async function* downloadLines(
  url: string,
  access: AnthropicAccess,
  call: BatchCall,
): AsyncGenerator<ResultBytes> {
  const context = contextOf(access, call);
  const lines: ResultBytes[] = [];
  const framer = new LastingLines(call.maxResponseBytes, (bytes, _offset, length) => {
    if (bytes === null) lines.push({ line: null, bytes: length });
    else if (!isBlank(bytes)) lines.push({ line: bytes, bytes: length });
  });
  for await (const chunk of download(url, access, call)) {
    framer.push(chunk);
    yield* lines.splice(0);
  }
  framer.end();
  const [last] = lines;
  if (last === undefined) return;
  // The last line needs no line feed, but has to be whole.
  if (last.line !== null && !isJson(decoder.decode(last.line))) {
    throw providerErrorOf(new HttpFailure('reset', true, 'the results end within a line'), call, context);
  }
  yield last;
}

const decoder = new TextDecoder();

/** Reads no faster than it is read; only the wait for each piece has a deadline, as results may be gigabytes. */
async function* download(url: string, access: AnthropicAccess, call: BatchCall): AsyncGenerator<Uint8Array> {
  const context = contextOf(access, call);
  const idle = new AbortController();
  const signals = [idle.signal, ...(call.signal === undefined ? [] : [call.signal])];
  const watch = <Value>(wait: Promise<Value>): Promise<Value> => {
    const timer = setTimeout(() => idle.abort(new DOMException('idle', 'TimeoutError')), call.timeoutMs);
    return wait.finally(() => clearTimeout(timer));
  };
  try {
    const headers = { ...access.headers, 'x-api-key': access.apiKey, accept: 'application/binary' };
    const sent = { headers, redirect: 'manual', signal: AbortSignal.any(signals) } as const;
    const response = await watch(call.fetch(url, sent));
    if (response.status !== 200) throw await refusalOf(response, watch, access, call);
    if (response.body === null) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await watch(reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  } catch (error) {
    throw providerErrorOf(error, call, context);
  }
}

const mostErrorBytes = 65_536;

async function refusalOf(
  response: Response,
  watch: <Value>(wait: Promise<Value>) => Promise<Value>,
  access: AnthropicAccess,
  call: BatchCall,
): Promise<ProviderError> {
  const text = (await watch(response.text())).slice(0, mostErrorBytes);
  const body = isJson(text) ? (JSON.parse(text) as unknown) : undefined;
  const headers = Object.fromEntries(response.headers.entries());
  return new ProviderError(failureOfControl(response.status, body, headers, contextOf(access, call)));
}
