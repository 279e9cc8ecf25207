import { createHash, timingSafeEqual } from 'node:crypto';
import { scopeText, signatureOf } from '../../shared/sigv4.ts';
import type { ReceivedRequest } from './s3-listening.ts';

/** Whom a simulated service of AWS lets in. */
export interface KnownCaller {
  access_key_id: string;
  secret_access_key: string;
  session_token: string | null;
}

export interface SignatureProblem {
  /** In the words of S3; `runtimeName` in those of the other services. */
  code: string;
  runtimeName: string;
  message: string;
}

const authorizationPattern =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** What is wrong with a request's Signature Version 4; null when it is right. */
export function checkSignature(
  received: ReceivedRequest,
  caller: KnownCaller,
  scope: { region: string; service: string },
  nowMs: number,
): SignatureProblem | null {
  const { headers } = received;
  const match = authorizationPattern.exec(headers.authorization ?? '');
  if (match === null) {
    return problem('AccessDenied', 'MissingAuthenticationTokenException', 'The request is not signed.');
  }
  const [, keyId, day, region, service, signedHeaders = '', signature = ''] = match;
  if (keyId !== caller.access_key_id) {
    return problem('InvalidAccessKeyId', 'UnrecognizedClientException', 'The access key is not known.');
  }
  if (region !== scope.region || service !== scope.service) {
    const message = `The authorization header is malformed; the region '${region}' is wrong; expecting '${scope.region}'`;
    return problem('AuthorizationHeaderMalformed', 'InvalidSignatureException', message);
  }
  if (caller.session_token !== null && headers['x-amz-security-token'] !== caller.session_token) {
    return problem('ExpiredToken', 'ExpiredTokenException', 'The security token included in the request is expired');
  }
  const time = headers['x-amz-date'] ?? '';
  const skewMs = Math.abs(nowMs - timeOf(time));
  if (!time.startsWith(day ?? '-') || !(skewMs < 15 * 60_000)) {
    return problem('RequestTimeTooSkewed', 'InvalidSignatureException', 'The signature is of another time.');
  }
  return checkParts(received, caller, scope, time, signedHeaders.split(';'), signature);
}

function checkParts(
  received: ReceivedRequest,
  caller: KnownCaller,
  scope: { region: string; service: string },
  time: string,
  names: string[],
  signature: string,
): SignatureProblem | null {
  const { method, url, headers, body } = received;
  if (!names.includes('host')) return mismatch('host is not signed');
  const stated = headers['x-amz-content-sha256'];
  const ownHash = createHash('sha256').update(body).digest('hex');
  const isStream = stated?.startsWith('STREAMING-') === true || stated === 'UNSIGNED-PAYLOAD';
  if (stated !== undefined && !isStream && stated !== ownHash) {
    return problem(
      'XAmzContentSHA256Mismatch',
      'InvalidSignatureException',
      'The body is not the one that was signed.',
    );
  }
  const payloadHash = stated ?? ownHash;
  const expected = signatureOf({ method, url, headers, names, payloadHash }, caller.secret_access_key, scope, time);
  const isSame = timingSafeEqual(Buffer.from(expected, 'hex'), Buffer.from(signature, 'hex'));
  return isSame ? null : mismatch(`scope ${scopeText(scope, time)}`);
}

function mismatch(detail: string): SignatureProblem {
  const message = `The request signature we calculated does not match the signature you provided (${detail}).`;
  return problem('SignatureDoesNotMatch', 'InvalidSignatureException', message);
}

function problem(code: string, runtimeName: string, message: string): SignatureProblem {
  return { code, runtimeName, message };
}

function timeOf(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}
