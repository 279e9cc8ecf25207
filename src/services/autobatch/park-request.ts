import { createHash } from 'node:crypto';
import { ApiError } from '../../core/api-error.ts';
import { canonicalJson } from '../../core/canonical-json.ts';
import type { Actor } from '../../ports/deps.ts';
import type { Settings } from '../../ports/settings.ts';
import type { ParkedCallRow } from '../../ports/store-parked-calls.ts';
import type { Call } from '../calls/read-call.ts';

/** What a client says of how it wants to be served, beside the request itself. */
export interface ParkHeaders {
  idempotencyKey: string | undefined;
  /** `x-weir-priority`: `interactive` or `high` does not wait for a batch. */
  priority: string | undefined;
  /** `x-weir-deadline`: how long the answer may take, as `90s`, `30m`, `2h` or `1d`. */
  deadline: string | undefined;
  /** RFC 7240: `respond-async`, `wait=30`. */
  prefer: string | undefined;
  /** `x-weir-when-pending: 422`, for clients that poll with the same request. */
  whenPending: string | undefined;
  /** `x-stainless-retry-count`: above 0 when the official SDKs try again. */
  retryCount: string | undefined;
  /** `x-stainless-timeout`: seconds that the official SDKs wait for an answer. */
  timeout: string | undefined;
}

/** How a client is told that its answer is not there yet. */
export type Pending = 'retry' | 'async' | '422';

export interface ParkWish {
  interactive: boolean;
  pending: Pending;
  /** How long the client is to be kept waiting. */
  holdMs: number;
  window: string;
  /** It says itself that it asks again. */
  repeated: boolean;
}

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Reads the headers. Throws 400 for what cannot be read. `polls`: the body shows a client that polls. */
export function readWish(headers: ParkHeaders, settings: Settings, polls: boolean): ParkWish {
  const priority = headers.priority ?? 'batch';
  if (!['batch', 'low', 'interactive', 'high'].includes(priority)) {
    throw invalid("Invalid 'x-weir-priority': use batch, or interactive for an answer now.", 'x-weir-priority');
  }
  if (headers.whenPending !== undefined && headers.whenPending !== '422' && headers.whenPending !== 'retry') {
    throw invalid("Invalid 'x-weir-when-pending': use retry or 422.", 'x-weir-when-pending');
  }
  const prefer = headers.prefer ?? '';
  const async = /(?:^|[,;\s])respond-async(?:$|[,;\s])/i.test(prefer);
  const pending: Pending = async ? 'async' : headers.whenPending === '422' || polls ? '422' : 'retry';
  const wait = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})/i.exec(prefer)?.[1];
  return {
    interactive: priority === 'interactive' || priority === 'high',
    pending,
    holdMs: holdMs(wait === undefined ? null : Number(wait), pending, headers.timeout, settings),
    window: windowOf(headers.deadline, settings),
    repeated: Number(headers.retryCount ?? 0) > 0,
  };
}

/** As long as asked for; else as long as the client itself waits, less a margin for the way back. */
function holdMs(wait: number | null, pending: Pending, timeout: string | undefined, settings: Settings): number {
  const most = settings.autobatchHoldSeconds;
  if (wait !== null) return Math.min(wait, most) * 1_000;
  if (pending !== 'retry') return 0;
  const own = Number(timeout);
  return Math.min(most, Number.isFinite(own) && own > 0 ? own * 0.9 : most) * 1_000;
}

function windowOf(deadline: string | undefined, settings: Settings): string {
  let seconds = settings.autobatchWindowSeconds;
  if (deadline !== undefined) {
    const match = /^([1-9]\d{0,6})([smhd])$/.exec(deadline.trim());
    seconds = match === null ? 0 : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
    if (seconds === 0 || seconds > 30 * 86_400) {
      throw invalid(
        "Invalid 'x-weir-deadline': use a duration up to 30 days, such as 90s, 30m or 12h.",
        'x-weir-deadline',
      );
    }
  }
  if (seconds < 60) return 'immediate';
  const minutes = Math.floor(seconds / 60);
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

/** The row of a new call. */
export function parkedRow(
  call: Call,
  {
    actor,
    id,
    now,
    wish,
    idempotencyKey,
  }: { actor: Actor; id: string; now: number; wish: ParkWish; idempotencyKey: string | undefined },
): ParkedCallRow {
  const { endpoint, body } = call.request;
  const asked = canonicalJson([actor.keyId, endpoint, call.config, call.metadata, body]);
  const fingerprint = hash(asked);
  const named = idempotencyKey !== undefined;
  return {
    id,
    tenantId: actor.tenantId,
    keyId: actor.keyId,
    dedupe: named ? hash(`key ${actor.keyId} ${idempotencyKey}`) : fingerprint,
    named,
    fingerprint,
    groupKey: hash(canonicalJson([actor.tenantId, actor.keyId, endpoint, call.config, call.metadata, wish.window])),
    endpoint,
    config: call.config,
    window: wish.window,
    metadata: call.metadata,
    body: JSON.stringify(body),
    createdAt: now,
    groupId: null,
    batchId: null,
    status: null,
    answer: null,
    deliveredAt: null,
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function invalid(message: string, param: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_value', param });
}
