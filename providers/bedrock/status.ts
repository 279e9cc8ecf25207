import type { Failure, FailureKind } from '../../src/core/failure.ts';
import type { Progress } from '../contract.ts';
import { isFields } from '../shared/error-body.ts';
import { typeOf } from '../shared/openai-status.ts';
import { redact } from '../shared/redact.ts';
import { retryAfterMs } from '../shared/retry-after.ts';

/** Where trouble came from: the words mean different things to a call and to a batch. */
export type Scene = 'call' | 'job' | 'objects';

/** What an error of AWS says of itself, however it came. */
export interface AwsError {
  /** `ThrottlingException`, `NoSuchBucket`, …; '' when it does not say. */
  name: string;
  message: string;
  /** null when there was no answer. */
  status: number | null;
  headers: Readonly<Record<string, string>>;
}

/**
 * Kinds by the error's type, for Bedrock answers quota and conflict with status 400 (service models of bedrock and
 * bedrock-runtime; S3 API reference, "Error responses"; SigV4 errors of every service).
 */
const kindByName: Readonly<Record<string, FailureKind>> = {
  AccessDeniedException: 'permission',
  AccessDenied: 'permission',
  AllAccessDisabled: 'permission',
  AccountProblem: 'permission',
  UnrecognizedClientException: 'authentication',
  InvalidSignatureException: 'authentication',
  SignatureDoesNotMatch: 'authentication',
  InvalidAccessKeyId: 'authentication',
  InvalidToken: 'authentication',
  InvalidClientTokenId: 'authentication',
  ExpiredTokenException: 'authentication',
  ExpiredToken: 'authentication',
  RequestExpired: 'authentication',
  RequestTimeTooSkewed: 'authentication',
  MissingAuthenticationTokenException: 'authentication',
  IncompleteSignatureException: 'authentication',
  IncompleteSignature: 'authentication',
  CredentialsProviderError: 'authentication',
  TokenProviderError: 'authentication',
  ValidationException: 'invalid_request',
  ConflictException: 'server_error',
  ResourceNotFoundException: 'not_found',
  NoSuchBucket: 'not_found',
  NoSuchKey: 'not_found',
  NotFound: 'not_found',
  PermanentRedirect: 'permission',
  AuthorizationHeaderMalformed: 'permission',
  IllegalLocationConstraintException: 'permission',
  ThrottlingException: 'rate_limited',
  TooManyRequestsException: 'rate_limited',
  SlowDown: 'rate_limited',
  ServiceQuotaExceededException: 'rate_limited',
  ModelNotReadyException: 'overloaded',
  ServiceUnavailableException: 'overloaded',
  ServiceUnavailable: 'overloaded',
  ModelTimeoutException: 'timeout',
  ModelErrorException: 'server_error',
  ModelStreamErrorException: 'server_error',
  InternalServerException: 'server_error',
  InternalError: 'server_error',
  ConnectionRefused: 'connection',
  UnreadableAnswer: 'bad_response',
  SyntaxError: 'bad_response',
};

const kindByStatus: Readonly<Record<number, FailureKind>> = {
  400: 'invalid_request',
  401: 'authentication',
  402: 'quota_exhausted',
  403: 'permission',
  404: 'not_found',
  405: 'unsupported',
  408: 'timeout',
  409: 'server_error',
  424: 'server_error',
  429: 'rate_limited',
  498: 'overloaded',
  499: 'server_error',
  501: 'unsupported',
  503: 'overloaded',
  504: 'timeout',
  524: 'timeout',
  529: 'overloaded',
};

/** Errors of ours, before a call left. */
const neverSent: ReadonlySet<string> = new Set(['CredentialsProviderError', 'TokenProviderError', 'ConnectionRefused']);

const contextPattern = /too long|context (?:length|window)|maximum (?:context|input)|too many (?:input )?tokens in/i;
/** What a refusal speaks of that parts of the records may not meet. */
const recordPattern = /\b(?:records?|lines?|jsonl?|file size)\b/i;
const accessPattern = /access denied|not authorized|permission|assume|\brole\b|\bkms\b|\bbucket\b/i;
const slotsPattern = /\bjobs?\b.*(?:quota|limit|maximum|exceed|too many)|(?:quota|limit|maximum|too many).*\bjobs?\b/i;

/** The kind that a status alone tells. */
export function kindOfStatus(status: number): FailureKind {
  return kindByStatus[status] ?? (status >= 500 ? 'server_error' : status >= 400 ? 'invalid_request' : 'bad_response');
}

/** The failure that an error of AWS states; `secrets` as for `redact`. */
export function failureOfAws(
  error: AwsError,
  scene: Scene,
  context: { provider: string; secrets: readonly string[]; nowMs: number },
): Failure {
  const { status, headers } = error;
  const kind = kindOf(error, scene);
  const isRedirect = status !== null && status >= 300 && status < 400;
  const said = redact(error.message, context.secrets);
  const where = scene === 'call' ? '' : scene === 'job' ? 'Bedrock: ' : 'S3: ';
  return {
    kind,
    status,
    code: isRedirect && scene === 'call' ? 'redirect_refused' : codeOf(kind, error),
    message: said === '' ? `${context.provider} answered with status ${status} and did not say why.` : where + said,
    param: scene === 'job' && error.name === 'ValidationException' ? paramOf(kind, error.message) : null,
    type: typeOf(kind),
    retryAfterMs: retryAfterMs(headers, status ?? 0, context.nowMs),
    reachedProvider: !neverSent.has(error.name),
  };
}

function kindOf({ name, message, status }: AwsError, scene: Scene): FailureKind {
  if (scene === 'job') {
    if (name === 'ServiceQuotaExceededException') return 'quota_full';
    if (name === 'ThrottlingException' && slotsPattern.test(message)) return 'quota_full';
    // Create answers one flat ValidationException for everything, the role's rights and the bucket's among it.
    if (name === 'ValidationException' && isOfAccess(message)) return 'permission';
  }
  const stated = Object.hasOwn(kindByName, name) ? kindByName[name] : undefined;
  if (stated !== undefined) return stated;
  return status === null ? 'connection' : kindOfStatus(status);
}

function isOfAccess(message: string): boolean {
  return accessPattern.test(message) && !recordPattern.test(message);
}

/**
 * What of the create call a refusal speaks of, as it reads no record: its model, or the job as a whole. null where the count
 * or the size of the records is at fault.
 */
function paramOf(kind: FailureKind, message: string): string | null {
  if (kind !== 'invalid_request' || recordPattern.test(message)) return null;
  return /\bmodel\b/i.test(message) ? 'model' : 'job';
}

function codeOf(kind: FailureKind, { name, message }: AwsError): string {
  if (kind === 'invalid_request' && contextPattern.test(message)) return 'context_length_exceeded';
  if (kind === 'not_found' && /\bmodel\b/i.test(message)) return 'model_not_found';
  const word = name
    .replace(/(Exception|Error)$/, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return /^[a-z][a-z0-9_]{1,60}$/.test(word) ? word : kind;
}

type State = Pick<Progress, 'state' | 'reason'>;

/**
 * Every status of a job (service model of bedrock, ModelInvocationJobStatus). A job is Completed also when each record
 * failed; PartiallyCompleted ran out of time with output; Expired ran out of it before it began.
 */
const states: Readonly<Record<string, State>> = {
  Submitted: { state: 'running', reason: null },
  Validating: { state: 'running', reason: null },
  Scheduled: { state: 'running', reason: null },
  InProgress: { state: 'running', reason: null },
  Stopping: { state: 'running', reason: null },
  Completed: { state: 'ended', reason: 'completed' },
  PartiallyCompleted: { state: 'ended', reason: 'expired' },
  Stopped: { state: 'ended', reason: 'cancelled' },
  Expired: { state: 'failed', reason: 'expired' },
  Failed: { state: 'failed', reason: 'failed' },
};

/** What a job's status means; an unknown word means that it still runs. */
export function stateOf(status: string): State {
  return (Object.hasOwn(states, status) ? states[status] : undefined) ?? { state: 'running', reason: null };
}

/** Why a job failed, from its `message`: permissions, too few or too many records, malformed JSONL. */
export function failureOfJob(status: string, message: string, provider: string, secrets: readonly string[]): Failure {
  const said = redact(message, secrets);
  const kind = status === 'Expired' ? 'expired' : kindOfJobMessage(message);
  return {
    kind,
    status: null,
    code: status === 'Expired' ? 'batch_expired' : kind === 'quota_full' ? 'quota_full' : 'batch_failed',
    message: said === '' ? `The batch job of ${provider} ended as ${status} and did not say why.` : said,
    // Validation reads the records, too: only what speaks of the model is not theirs.
    param: paramOf(kind, message) === 'model' ? 'model' : null,
    type: typeOf(kind),
    retryAfterMs: null,
    reachedProvider: true,
  };
}

function kindOfJobMessage(message: string): FailureKind {
  if (slotsPattern.test(message) && !/record/i.test(message)) return 'quota_full';
  if (isOfAccess(message)) return 'permission';
  if (/internal|unexpected|try again/i.test(message)) return 'server_error';
  return 'invalid_request';
}

/** The lines of the input that a failed job's message names. */
export function linesNamed(message: string): number[] {
  return [...message.matchAll(/\bline (?:number )?(\d{1,9})\b/gi)].map((match) => Number(match[1]));
}

/** Reads an error answer of the runtime: the type is in a header, or in `__type` (rest-json). */
export function awsErrorOf(status: number, headers: Readonly<Record<string, string>>, json: unknown): AwsError {
  const fields = isFields(json) ? json : {};
  const nested = isFields(fields.error) ? fields.error : fields;
  const type = headers['x-amzn-errortype'] ?? fields.__type ?? nested.type;
  const message = fields.message ?? fields.Message ?? nested.message;
  return {
    name: typeof type === 'string' ? (type.split(':')[0]?.split('#').at(-1) ?? '') : '',
    message: typeof message === 'string' ? message : '',
    status,
    headers,
  };
}
