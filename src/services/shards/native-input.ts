import { Buffer } from 'node:buffer';
import type { BatchApi, NativeRequest } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import type { Unfit } from '../../core/healing.ts';
import { escapeLineSeparators } from '../../core/jsonl.ts';
import { FrameReader } from '../../core/request-frame.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { LineConverter } from './line-converter.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { unfitAnswers } from './unfit-answers.ts';

const WRITE_BYTES = 256 * 1024;

export interface RefusedLine {
  line: ShardLine;
  request: RequestLine;
  failure: Failure;
}

export interface NativeInput {
  /** Object with the provider's own lines. */
  key: string;
  lines: number;
  bytes: number;
  /** Lines that the provider cannot take: they go elsewhere or fail alone. */
  refused: RefusedLine[];
}

/** The name of a line in a provider's file: it comes back with the answer. */
export function lineKey(line: number): string {
  return `l-${line + 1}`;
}

/** 0-based line of a key; null when it is none of ours. */
export function lineOfKey(key: string | null): number | null {
  const number = key === null ? Number.NaN : Number(/^l-([1-9]\d{0,9})$/.exec(key)?.[1]);
  return Number.isSafeInteger(number) ? number - 1 : null;
}

/** Writes the provider's input file for `lines`, one line in memory at a time. */
export async function writeNativeInput(work: ShardWork, lines: readonly ShardLine[]): Promise<NativeInput> {
  const { deps, shard, input, api } = work;
  const key = `batches/${shard.batchId}/shards/${shard.id}`;
  const reader = new ForwardReader(deps.files, input.contentKey);
  const frames = new FrameReader();
  const converter = new LineConverter(work.provider, work.candidate);
  const unfit = await unfitAnswers(work, lines);
  const writer = await deps.files.create(key);
  const refused: RefusedLine[] = [];
  let waiting: string[] = [];
  let waitingBytes = 0;
  let bytes = 0;
  let count = 0;
  try {
    for (const line of lines) {
      const request = frames.read(await reader.read(line));
      const native = nativeLine(work, line, request, converter, unfit.get(line.line + 1));
      if (typeof native !== 'string') {
        refused.push({ line, request, failure: native });
        continue;
      }
      waiting.push(native);
      waitingBytes += native.length;
      bytes += Buffer.byteLength(native);
      count += 1;
      if (waitingBytes < WRITE_BYTES) continue;
      await writer.write(Buffer.from(waiting.join('')));
      waiting = [];
      waitingBytes = 0;
    }
    await writer.write(Buffer.from(waiting.join('')));
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const limits = api.limits;
  if (limits.bytes !== null && bytes > limits.bytes) throw new TooLarge();
  return { key, lines: count, bytes, refused };
}

/** Why lines that are too few for a provider batch, or for halves of one that was refused for `why`, are not sent as one. */
export function tooFew({ provider, api }: ShardWork, why: Failure | null): Failure {
  const refused = why === null ? '' : ` It refused the batch: ${why.message}`;
  const message =
    `These requests are too few for a batch of ${provider.name}, which wants ${api.limits.linesMin ?? 1} or more, and no ` +
    `other target takes them. Add requests, or a target with mode: immediate.${refused}`;
  return refusal('invalid_request', 'too_few_for_batch', message);
}

/** The converted lines are larger than the provider allows for one batch: the shard is to be cut in two. */
export class TooLarge extends Error {}

/** A line of the provider's input file, with its line feed, or why the line has no place in it. */
export function nativeLine(
  { provider, candidate, api }: Pick<ShardWork, 'provider' | 'candidate' | 'api'>,
  line: ShardLine,
  request: RequestLine,
  converter = new LineConverter(provider, candidate),
  unfit: readonly Unfit[] = [],
): string | Failure {
  const converted = converter.convert(request, unfit);
  if (!converted.ok) return converted.failure;
  return layLine(provider.name, api, line.line, converted.request);
}

/** A converted request as a line of the provider's input file, or why its batch service does not take it. */
export function layLine(provider: string, api: BatchApi, line: number, request: NativeRequest): string | Failure {
  const refused = api.refuses?.(request) ?? null;
  if (refused !== null) return refused;
  // Some readers take more characters for line ends than the line feed.
  const text = `${escapeLineSeparators(api.line(lineKey(line), request))}\n`;
  const { lineBytes } = api.limits;
  if (lineBytes === null || Buffer.byteLength(text) <= lineBytes) return text;
  const message =
    `This request has ${Buffer.byteLength(text)} bytes in ${provider}'s form; its batches take at most ${lineBytes} a request. ` +
    'Refer to media by URL, or send the line to another target.';
  return refusal('invalid_request', 'too_large_for_batch', message, 'body');
}
