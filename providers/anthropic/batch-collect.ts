import type { Failure } from '../../src/core/failure.ts';
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoint.ts';
import { type BatchCall, type BatchResult, type ProviderBatch, ProviderError } from '../contract.ts';
import { badResponse } from '../shared/openai-status.ts';
import { checkResultsUrl, downloadLines } from './batch-results.ts';
import { keyOf, markOf } from './batch-token.ts';
import { type AnthropicAccess, contextOf } from './client.ts';
import { openControl } from './control.ts';
import { oversizedLine, resultOfLine } from './results.ts';
import { progressOf, sizeOf } from './status.ts';

/** Downloads that break are begun anew this often; the service offers no ranges. */
const mostDownloads = 3;

/** The results of a batch that has ended; each line once, whatever became of the downloads. */
export async function* collectResults(
  { id, refs }: ProviderBatch,
  access: AnthropicAccess,
  call: BatchCall,
): AsyncGenerator<BatchResult> {
  const { batch } = await (await openControl(access, call)).retrieve(id);
  if (batch.resultsUrl === null) throw new ProviderError(progressOf(batch, null).failure ?? notReady(access));
  const url = checkResultsUrl(batch.resultsUrl, access);
  const mark = refs.token === undefined ? null : await markOf(refs.token);
  const readKey = (customId: string) => (mark === null ? customId : keyOf(customId, mark));
  const endpoint = endpointOf(refs.endpoint);
  const context = contextOf(access, call);
  const given = new Given();
  for (let download = 1; ; download += 1) {
    given.restart();
    let failure = incomplete(access);
    try {
      for await (const { line, bytes } of downloadLines(url, access, call)) {
        const result =
          line === null ? oversizedLine(bytes, access.provider) : resultOfLine(line, endpoint, readKey, context);
        if (given.isNew(result)) yield result;
      }
      // Every request gets exactly one line: fewer are a download that was cut.
      if (given.seen >= sizeOf(batch)) return;
    } catch (error) {
      if (!(error instanceof ProviderError) || error.failure.kind !== 'connection') throw error;
      failure = error.failure;
    }
    if (download === mostDownloads) throw new ProviderError(failure);
  }
}

/** Which lines were handed on, so that a download that is begun anew hands on only the rest, in whatever order. */
class Given {
  /** Lines of the present download. */
  seen = 0;
  readonly #given = new Map<string, number>();
  #met = new Map<string, number>();

  restart(): void {
    this.seen = 0;
    this.#met = new Map();
  }

  isNew(line: BatchResult): boolean {
    const name = line.key ?? `\n${line.raw}`;
    const met = (this.#met.get(name) ?? 0) + 1;
    this.seen += 1;
    this.#met.set(name, met);
    if (met <= (this.#given.get(name) ?? 0)) return false;
    this.#given.set(name, met);
    return true;
  }
}

function endpointOf(text: string | undefined): Endpoint {
  return ENDPOINTS.find((endpoint) => endpoint === text) ?? '/v1/chat/completions';
}

function notReady({ provider }: AnthropicAccess): Failure {
  return {
    ...badResponse(200, `${provider} does not say yet where the results are.`, 'results_missing'),
    kind: 'server_error',
  };
}

function incomplete({ provider }: AnthropicAccess): Failure {
  const message = `${provider} returned fewer results than the batch has requests.`;
  return badResponse(200, message, 'results_incomplete');
}
