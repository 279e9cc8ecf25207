import { Buffer } from 'node:buffer';
import { AnswerScanner, type ScannedAnswer } from '../../src/core/answer-scan.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { Success } from '../contract.ts';
import { requestIdOf } from './answer.ts';
import { isGivenUp, isSuccess, type ResultReaders, usageWarnings } from './openai-results.ts';
import { tierWarnings } from './service-tier.ts';

const scanner = new AnswerScanner();

/** The success that an answer means whose bytes can be passed on as they are; null for any other, which `resultOf` reads. */
export function forwardedAnswer(endpoint: Endpoint, response: HttpResponse, readers: ResultReaders): Success | null {
  if (!isSuccess(response.status)) return null;
  const scanned = scanner.scan(endpoint, response.body);
  if (scanned === null || scanned.finishReasons.some(isGivenUp)) return null;
  const { status, headers, body } = response;
  return new ForwardedAnswer(endpoint, { status, requestId: requestIdOf(headers), bytes: body }, scanned, readers);
}

/** Its text is made when somebody asks for it; a spread leaves it behind. */
export class ForwardedAnswer implements Success {
  readonly ok = true;
  readonly status: number;
  readonly requestId: string | null;
  readonly bytes: Uint8Array;
  readonly usage: Success['usage'];
  readonly rawUsage: object | null;
  readonly servedModel: string | null;
  readonly serviceTier: string | null;
  readonly finishReason: string | null;
  readonly warnings: string[];
  #text: string | null = null;

  constructor(
    endpoint: Endpoint,
    { status, requestId, bytes }: Pick<Success, 'status' | 'requestId'> & { bytes: Uint8Array },
    scanned: ScannedAnswer,
    readers: ResultReaders,
  ) {
    const { usage, raw, problems } = readers.readUsage(scanned);
    this.status = status;
    this.requestId = requestId;
    this.bytes = bytes;
    this.usage = usage;
    this.rawUsage = raw;
    this.servedModel = scanned.model;
    this.serviceTier = scanned.serviceTier;
    this.finishReason = scanned.finishReasons[0] ?? null;
    this.warnings = usageWarnings(endpoint, raw, problems);
    this.warnings.push(...tierWarnings(scanned.serviceTier));
  }

  get body(): string {
    this.#text ??= Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString('utf8');
    return this.#text;
  }
}
