import { parseEndpoint } from '../../src/protocol/endpoint.ts';
import type { BatchCall, BatchResult, ProviderBatch } from '../contract.ts';
import { ProviderError } from '../contract.ts';
import { parseAnswer } from '../shared/answer.ts';
import { badResponse } from '../shared/openai-status.ts';
import type { Access } from './access.ts';
import { download, linesOf } from './download.ts';
import type { AnswerFacts } from './facts.ts';
import { jobIdOf, layoutOf, tokenOfRefs } from './layout.ts';
import { isInvokeForm, knownModel } from './models.ts';
import type { Bucket, ListedObject } from './objects.ts';
import { pickedRecord } from './picked-record.ts';
import { PieceJoiner, pieceOf } from './pieces.ts';
import { readRecord } from './results.ts';

export interface Outputs {
  access: Access;
  bucket: Bucket;
  prefix: string;
}

/**
 * Where a job's output lies; null without a token. The places are our own, never those that an answer names: results are
 * read with the operator's rights.
 */
export function outputFolder(batch: ProviderBatch, prefix: string): string | null {
  const token = tokenOfRefs(batch.refs);
  return token === null ? null : `${layoutOf(prefix, token).output}${jobIdOf(batch.id)}/`;
}

async function* outputsOf(
  batch: ProviderBatch,
  { bucket, prefix }: Outputs,
  call: BatchCall,
): AsyncIterable<ListedObject> {
  const folder = outputFolder(batch, prefix);
  if (folder === null) return;
  for await (const object of bucket.list(folder, call)) if (object.key.endsWith('.jsonl.out')) yield object;
}

/** True when an output file can be seen. */
export async function hasOutput(batch: ProviderBatch, outputs: Outputs, call: BatchCall): Promise<boolean> {
  for await (const _object of outputsOf(batch, outputs, call)) return true;
  return false;
}

/** Characters of embeddings that wait for the other parts of their request. */
const mostHeldCharacters = 64 * 1024 * 1024;

/**
 * Every line of every output file of a job, in the order of the files; the parts of one embeddings request as one. Memory
 * holds one line, one chunk and bounded parts.
 */
export async function* readOutput(
  batch: ProviderBatch,
  outputs: Outputs,
  call: BatchCall,
  mostCharacters = mostHeldCharacters,
): AsyncIterable<BatchResult> {
  const factsOf = factsReader(batch, outputs.access, call);
  let records = 0;
  let postponed: ReadonlySet<string> | null = null;
  do {
    const joiner: PieceJoiner = new PieceJoiner(postponed, mostCharacters);
    const isFirst: boolean = postponed === null;
    for await (const bytes of outputLines(batch, outputs, call)) {
      records += isFirst ? 1 : 0;
      const line: BatchResult = bytes === null ? tooLong(outputs.access) : readLine(bytes, factsOf);
      const piece = pieceOf(line.key ?? '');
      if (piece === null) {
        if (isFirst) yield line;
      } else {
        const joined = joiner.add(piece, line.result, line.raw);
        if (joined !== null) yield joined;
      }
    }
    if (isFirst) refuseTooFew(records, batch, outputs.access, call);
    yield* joiner.rest();
    postponed = joiner.postponed.size > 0 ? joiner.postponed : null;
  } while (postponed !== null);
}

/** The lines of all output files that are not blank; null for one longer than allowed. */
async function* outputLines(batch: ProviderBatch, outputs: Outputs, call: BatchCall): AsyncIterable<Uint8Array | null> {
  const { access, bucket } = outputs;
  for await (const object of outputsOf(batch, outputs, call)) {
    for await (const bytes of linesOf(download(bucket, object, access, call), call.maxResponseBytes)) {
      if (bytes?.every((byte) => byte <= 0x20) !== true) yield bytes;
    }
  }
}

/** Reads a line, whose bytes are its own from now on. Never throws. */
export function readLine(bytes: Uint8Array, factsOf: (key: string) => AnswerFacts): BatchResult {
  const picked = pickedRecord(bytes, factsOf);
  if (picked !== null) return picked;
  const line = parseAnswer(bytes);
  return { ...readRecord(line, factsOf), raw: line.text };
}

function tooLong({ provider }: Access): BatchResult {
  const failure = badResponse(200, `${provider} answered with a line longer than may be.`, 'response_too_large');
  return {
    key: null,
    result: { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null },
    raw: '',
  };
}

function factsReader({ id, refs }: ProviderBatch, access: Access, call: BatchCall): (key: string) => AnswerFacts {
  const { provider, secrets, settings } = access;
  const model = refs.model ?? '';
  const stated = refs.form ?? null;
  const form = isInvokeForm(stated) ? stated : (knownModel(model, settings.profiles)?.family.form ?? 'converse');
  const endpoint = parseEndpoint(refs.endpoint ?? '') ?? '/v1/chat/completions';
  const jobId = jobIdOf(id);
  const created = Number(refs.ended_at ?? Math.floor(call.nowMs / 1000));
  return (key) => ({
    endpoint,
    form,
    provider,
    secrets,
    model,
    id: `chatcmpl-${jobId}-${key}`,
    requestId: `${jobId}/${key}`,
    created,
  });
}

/** A second output file may be listed late: fewer records than the job counted are not the end while it is young. */
function refuseTooFew(records: number, { refs }: ProviderBatch, { provider }: Access, call: BatchCall): void {
  const processed = Number(refs.processed ?? 0);
  const ageMs = call.nowMs - Number(refs.ended_at ?? 0) * 1000;
  if (records >= processed || ageMs > 600_000) return;
  const message = `${provider} counted ${processed} records, but its output holds ${records} so far.`;
  throw new ProviderError({ ...badResponse(200, message, 'output_incomplete'), kind: 'server_error' });
}
