import { AnswerScanner, type ScannedAnswer } from '../../src/core/answer-scan.ts';
import type { HttpResponse } from '../../src/ports/http-client.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { Success } from '../contract.ts';
import { requestIdOf } from './answer.ts';
import { AnswerInBytes } from './answer-in-bytes.ts';
import { isGivenUp, isSuccess, type ResultReaders, usageWarnings } from './openai-results.ts';
import { tierWarnings } from './service-tier.ts';

const scanner = new AnswerScanner();

/** The success that an answer means whose bytes can be passed on as they are; null for any other, which `resultOf` reads. */
export function forwardedAnswer(endpoint: Endpoint, response: HttpResponse, readers: ResultReaders): Success | null {
  if (!isSuccess(response.status)) return null;
  const scanned = scanner.scan(endpoint, response.body);
  if (scanned === null || scanned.finishReasons.some(isGivenUp)) return null;
  const { status, headers, body } = response;
  return forwarded(endpoint, { status, requestId: requestIdOf(headers), bytes: body }, scanned, readers);
}

/** What an answer means whose bytes go on as they are, with all that was found in it. */
export function forwarded(
  endpoint: Endpoint,
  { status, requestId, bytes }: Pick<Success, 'status' | 'requestId'> & { bytes: Uint8Array },
  scanned: ScannedAnswer,
  readers: ResultReaders,
): AnswerInBytes {
  const { usage, raw, problems } = readers.readUsage(scanned);
  const { model: servedModel, serviceTier, finishReasons } = scanned;
  const warnings = usageWarnings(endpoint, raw, problems);
  warnings.push(...tierWarnings(serviceTier));
  const finishReason = finishReasons[0] ?? null;
  return new AnswerInBytes(bytes, {
    status,
    requestId,
    usage,
    rawUsage: raw,
    servedModel,
    serviceTier,
    finishReason,
    warnings,
  });
}
