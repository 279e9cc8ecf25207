import { type Call, ProviderError } from '../contract.ts';
import { type AnswerContext, parseAnswer } from './answer.ts';
import { type Fields, isFields } from './error-body.ts';
import { badResponse, failureOf, failureOfCall } from './openai-status.ts';

/** How to reach the usage API of an account: with a key of its own, which no other call carries. */
export interface UsageAccess {
  provider: string;
  /** Ends with no slash. */
  baseUrl: string;
  headers: Readonly<Record<string, string>>;
  secrets: readonly string[];
}

/** One bucket of a report: a day. */
export interface UsageBucket {
  bucket: Fields;
  results: Fields[];
}

/** Days at most are in an answer, and a bucket is a day. */
const PAGES_MAX = 2_000;

/** The buckets of a report, page by page, as OpenAI's and Anthropic's usage APIs both give them. Rejects with ProviderError. */
export async function* usageBuckets(
  access: UsageAccess,
  path: string,
  query: readonly (readonly [string, string])[],
  call: Call,
): AsyncGenerator<UsageBucket> {
  const context: AnswerContext = { provider: access.provider, secrets: access.secrets, nowMs: call.nowMs };
  let page: string | null = null;
  for (let read = 0; read < PAGES_MAX; read += 1) {
    const search = new URLSearchParams([
      ...query.map(([name, value]) => [name, value]),
      ...(page === null ? [] : [['page', page]]),
    ]);
    const answer = await getPage(access, `${access.baseUrl}${path}?${search}`, context, call);
    if (!Array.isArray(answer.data)) throw unreadable(access, path);
    for (const bucket of answer.data) {
      if (!isFields(bucket) || !Array.isArray(bucket.results)) throw unreadable(access, path);
      yield { bucket, results: bucket.results.filter(isFields) };
    }
    if (answer.has_more !== true) return;
    if (typeof answer.next_page !== 'string' || answer.next_page === page) throw unreadable(access, path);
    page = answer.next_page;
  }
  throw unreadable(access, path);
}

/** A count of a result; absent counts as none. Throws ProviderError for what is no count. */
export function countOf(result: Fields, name: string, access: UsageAccess): number {
  const value = result[name];
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ProviderError(badResponse(200, `${access.provider} reported a '${name}' that is no number of tokens.`));
}

export function unreadable(access: UsageAccess, path: string): ProviderError {
  return new ProviderError(badResponse(200, `${access.provider} answered ${path} without a report that can be read.`));
}

async function getPage(access: UsageAccess, url: string, context: AnswerContext, call: Call): Promise<Fields> {
  const { timeoutMs, maxResponseBytes, signal } = call;
  const request = { method: 'GET' as const, url, headers: access.headers, timeoutMs, maxResponseBytes, signal };
  const response = await call.http.request(request).catch((error: unknown) => {
    throw new ProviderError(failureOfCall(error, context));
  });
  const answer = parseAnswer(response.body);
  if (response.status !== 200) throw new ProviderError(failureOf(response, answer, context));
  if (!isFields(answer.json)) throw unreadable(access, new URL(url).pathname);
  return answer.json;
}
