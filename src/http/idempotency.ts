import { createHash, createHmac } from 'node:crypto';
import type { Context as HonoContext, MiddlewareHandler } from 'hono';
import { ApiError, passesWithTime } from '../core/api-error.ts';
import { formatId, ID_BYTES, type IdPrefix } from '../core/ids.ts';
import { unixSeconds } from '../ports/clock.ts';
import type { Deps } from '../ports/deps.ts';
import type { IdempotencyRow } from '../ports/store-idempotency.ts';
import { isUpload } from './body.ts';
import type { AppEnv } from './env.ts';
import { KeyLease } from './key-lease.ts';
import { createMultipartDigest, type MultipartDigest } from './multipart-digest.ts';
import { uploadBody } from './upload-body.ts';

const keyPattern = /^[\x20-\x7e]{1,255}$/;
const seedBytes = 32;

/** What a form has beside its file. */
const formOverheadBytes = 1024 ** 2;

/** What a finished run leaves in the store. */
interface Remembered {
  body: string;
  /** Hash of an uploaded form, which is known only after it was read; null for other bodies. */
  digest: string | null;
}

/**
 * `Idempotency-Key` on any POST: the first run's answer is given again to the same request, another request with the
 * same key is 409. A run holds its key by a lease, which it prolongs as long as it lives. The ids of a run derive from a
 * stored seed, so a run repeated after a crash makes the same ids.
 */
export function idempotency(
  deps: Pick<Deps, 'store' | 'clock' | 'random' | 'log' | 'settings'>,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const key = c.req.header('idempotency-key');
    if (key === undefined || c.req.method !== 'POST') return next();
    if (!keyPattern.test(key)) {
      throw new ApiError(400, 'Invalid Idempotency-Key: use 1 to 255 printable ASCII characters.', {
        code: 'invalid_value',
        param: 'Idempotency-Key',
      });
    }
    const upload = isUpload(c.req.path);
    const row = await newRow(deps, c, key, upload);
    const lockedUntil = row.createdAt + deps.settings.leaseSeconds;
    const claim = await deps.store.idempotency.claim(row, row.createdAt, lockedUntil);
    if (claim.row.fingerprint !== row.fingerprint) throw otherRequest();
    if (claim.state === 'busy') {
      throw new ApiError(409, 'A request with this Idempotency-Key is still running. Try again in a moment.', {
        code: 'idempotency_key_in_use',
        retryAfterSeconds: 1,
      });
    }
    if (claim.state === 'done') return replay(deps, c, claim.row);
    deriveIds(c, claim.row.seed, claim.row.seed !== row.seed);
    const digest = upload ? digestPassing(c) : undefined;
    const lease = new KeyLease(deps, row, lockedUntil);
    try {
      await next();
    } finally {
      await lease.end();
    }
    await settle(deps, c, { row, lease, digest });
  };
}

/** Whether the answer is remembered for a client that asks again. */
export function hasIdempotencyKey(c: HonoContext<AppEnv>): boolean {
  return c.req.header('idempotency-key') !== undefined;
}

async function newRow(
  deps: Pick<Deps, 'clock' | 'random'>,
  c: HonoContext<AppEnv>,
  key: string,
  upload: boolean,
): Promise<IdempotencyRow> {
  const url = new URL(c.req.url);
  const body = upload
    ? ''
    : createHash('sha256')
        .update(new Uint8Array(await c.req.arrayBuffer()))
        .digest('hex');
  // The route may come by header, and then it is part of what is asked for.
  const route = c.req.header('x-weir-config') ?? c.req.header('x-portkey-config') ?? '';
  const fingerprint = createHash('sha256').update(['POST', url.pathname, url.search, route, body].join('\n'));
  return {
    tenantId: c.get('context').actor.tenantId,
    key,
    fingerprint: fingerprint.digest('hex'),
    seed: Buffer.from(deps.random.bytes(seedBytes)).toString('hex'),
    status: null,
    body: null,
    createdAt: unixSeconds(deps.clock),
  };
}

/** The ids of this call, each from the seed, its prefix and its number among those of that prefix. */
function deriveIds(c: HonoContext<AppEnv>, seed: string, repeats: boolean): void {
  const made = new Map<IdPrefix, number>();
  const newId = (prefix: IdPrefix): string => {
    const number = made.get(prefix) ?? 0;
    made.set(prefix, number + 1);
    const bytes = createHmac('sha256', Buffer.from(seed, 'hex')).update(`${prefix}:${number}`).digest();
    return formatId(prefix, bytes.subarray(0, ID_BYTES));
  };
  c.set('context', { ...c.get('context'), newId, repeats });
}

/** Hashes the form while the handler reads it. */
function digestPassing(c: HonoContext<AppEnv>): MultipartDigest | undefined {
  const digest = createMultipartDigest(c.req.header('content-type'));
  if (digest !== undefined) c.set('observeBody', (chunk) => digest.update(chunk));
  return digest;
}

/** Remembers the answer of a run and answers with the one that is remembered, or gives the key back when the same request may yet succeed. */
async function settle(
  deps: Pick<Deps, 'store' | 'log'>,
  c: HonoContext<AppEnv>,
  { row, lease, digest }: { row: IdempotencyRow; lease: KeyLease; digest: MultipartDigest | undefined },
): Promise<void> {
  const { status } = c.res;
  const isJson = c.res.headers.get('content-type')?.startsWith('application/json') === true;
  // A client that leaves before all was read is refused for it; what was done all the same is what it comes back for.
  const isCut = c.req.raw.signal.aborted && status >= 300;
  try {
    if (!isJson || passesWithTime(status) || isCut) return await lease.release();
    const body = c.get('rememberedBody') ?? (await c.res.clone().text());
    // A refused form may not have been read to its end: then there is nothing to compare with.
    const remembered: Remembered = { body, digest: status < 300 ? (digest?.value() ?? null) : null };
    const other = await deps.store.idempotency.finish(row.tenantId, row.key, status, JSON.stringify(remembered));
    if (other === null || digest !== undefined) return;
    // Another run took the key over meanwhile and was first: a key has one answer. Without the headers of this one.
    c.res = undefined;
    c.res = replayed(other);
  } catch (error) {
    // What was done is done: the client gets its answer, and a repeated run makes the same ids.
    deps.log.error({ requestId: c.get('requestId'), err: error }, 'an idempotent answer was not remembered');
  }
}

async function replay(deps: Pick<Deps, 'settings'>, c: HonoContext<AppEnv>, row: IdempotencyRow): Promise<Response> {
  const { digest } = rememberedBy(row);
  if (digest !== null && (await digestWhole(c, deps.settings.maxFileBytes)) !== digest) throw otherRequest();
  return replayed(row);
}

function rememberedBy(row: IdempotencyRow): Remembered {
  return JSON.parse(row.body ?? '{"body":"","digest":null}') as Remembered;
}

function replayed(row: IdempotencyRow): Response {
  return new Response(rememberedBy(row).body, {
    status: row.status ?? 200,
    headers: { 'content-type': 'application/json', 'idempotent-replayed': 'true' },
  });
}

/** Reads a form to its end, keeping only its hash; one longer than any that was taken is given up. */
async function digestWhole(c: HonoContext<AppEnv>, maxFileBytes: number): Promise<string | undefined> {
  const digest = createMultipartDigest(c.req.header('content-type'));
  const body = uploadBody(c);
  if (digest === undefined || body === null) return undefined;
  let bytes = 0;
  for (let next = await body.read(); !next.done; next = await body.read()) {
    const chunk = next.value ?? new Uint8Array(0);
    bytes += chunk.length;
    if (bytes > maxFileBytes + formOverheadBytes) return undefined;
    digest.update(chunk);
  }
  return digest.value();
}

function otherRequest(): ApiError {
  return new ApiError(409, 'This Idempotency-Key was used for another request. Use a new key for a new request.', {
    code: 'idempotency_key_reused',
    param: 'Idempotency-Key',
  });
}
