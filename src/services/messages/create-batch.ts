import { ApiError } from '../../core/api-error.ts';
import { type Fields, isFields } from '../../core/fields.ts';
import { chatOfMessages, MessagesProblem } from '../../core/messages-request.ts';
import { refusedBody } from '../../core/refused-request.ts';
import { checkCallBody } from '../../core/validate-input.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { createBatch } from '../batches/create.ts';
import { fetchBatch } from '../batches/retrieve.ts';
import { createFile } from '../files/create.ts';

/** Anthropic's limits. */
const REQUESTS_MAX = 100_000;
const CUSTOM_ID = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * Creates a batch of Messages requests; `config` and `window` come by header. As at Anthropic, a request whose params are
 * not valid does not refuse the batch: it becomes an `errored` result. Throws ApiError 400 for a list or a custom_id that is wrong.
 */
export async function createMessageBatch(
  deps: Deps,
  context: Context,
  input: { body: Fields; config: string | undefined; window: string },
): Promise<BatchRow> {
  const lines = readRequests(input.body);
  const file = await createFile(deps, context, {
    content: encode(lines),
    purpose: 'batch',
    details: () => Promise.resolve({ filename: 'messages.jsonl', purpose: 'batch', expiresAfterSeconds: null }),
  });
  const { id } = await createBatch(deps, context, {
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: input.window,
    ...(input.config !== undefined && { config: input.config }),
    front: 'messages',
  });
  return fetchBatch(deps, context, id);
}

function readRequests({ requests, ...others }: Fields): string[] {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(`${unknown.slice(0, 64)}: Extra inputs are not permitted`);
  if (!Array.isArray(requests) || requests.length === 0)
    throw invalid('requests: Field required, with at least one request');
  if (requests.length > REQUESTS_MAX) throw invalid(`requests: at most ${REQUESTS_MAX} are allowed`);
  const ids = new Set<string>();
  return requests.map((request: unknown, index) => {
    const place = `requests.${index}`;
    if (!isFields(request)) throw invalid(`${place}: Input should be an object`);
    const { custom_id: id, params } = request;
    if (typeof id !== 'string' || !CUSTOM_ID.test(id)) {
      throw invalid(`${place}.custom_id: use 1 to 64 letters, digits, _ or -`);
    }
    if (ids.has(id)) throw invalid(`${place}.custom_id: '${id}' is used twice`);
    ids.add(id);
    if (!isFields(params)) throw invalid(`${place}.params: Field required, as an object`);
    return `${JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body: bodyOf(params) })}\n`;
  });
}

/** The chat completion that params ask for; one that fails with what is wrong with them, if they are not valid. */
function bodyOf(params: Fields): Fields {
  if (params.stream === true) return refusedBody('stream: a batch does not stream. Leave it out.');
  try {
    const { stream: _whole, ...body } = chatOfMessages(params);
    const problem = checkCallBody(body, '/v1/chat/completions');
    return problem === null ? body : refusedBody(problem.message);
  } catch (error) {
    if (!(error instanceof MessagesProblem)) throw error;
    return refusedBody(error.message);
  }
}

async function* encode(lines: readonly string[]): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < lines.length; at += 100) yield Buffer.from(lines.slice(at, at + 100).join(''));
}

function invalid(message: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_request' });
}
