import { randomBytes } from 'node:crypto';
import { formatId, ID_BYTES } from '../../src/core/ids.ts';
import { PLAN_RECORD_BYTES, type PlanRecord, readPlanRecord } from '../../src/core/plan.ts';
import type { Context, Deps } from '../../src/ports/deps.ts';
import type { FileRow } from '../../src/ports/store-files.ts';
import type { UploadPurpose } from '../../src/protocol/file.ts';
import { createFile } from '../../src/services/files/create.ts';

/** A context of the tenant's ordinary key. */
export function contextOf(tenantId: string, changes: Partial<Context> = {}): Context {
  return {
    actor: { tenantId, keyId: null, role: 'user' },
    newId: (prefix) => formatId(prefix, randomBytes(ID_BYTES)),
    signal: new AbortController().signal,
    ...changes,
  };
}

/** A request line; members given replace the usual ones, `undefined` removes them. */
export function line(customId: unknown, change: Record<string, unknown> = {}): string {
  const body = { model: 'model-a', messages: [{ role: 'user', content: 'hi' }] };
  return JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/chat/completions', body, ...change });
}

export async function* chunksOf(content: string | Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface UploadOptions {
  context?: Context;
  purpose?: UploadPurpose;
  /** Say the purpose before the content, as some clients do. */
  early?: boolean;
  chunkBytes?: number;
  expiresAfterSeconds?: number | null;
}

/** Sends a file through the service; answers its row. */
export async function upload(
  deps: Deps,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
  options: UploadOptions = {},
): Promise<FileRow> {
  const purpose = options.purpose ?? 'batch';
  const stream =
    typeof content === 'string' || content instanceof Uint8Array ? chunksOf(content, options.chunkBytes) : content;
  const file = await createFile(deps, options.context ?? contextOf('tenant-a'), {
    content: stream,
    purpose: options.early === true ? purpose : undefined,
    details: async () => ({ filename: 'in.jsonl', purpose, expiresAfterSeconds: options.expiresAfterSeconds ?? null }),
  });
  const row = await deps.store.files.getAny(file.id);
  if (row === null) throw new Error(`no row for ${file.id}`);
  return row;
}

/** Every record of a file's plan. */
export async function planOf(deps: Deps, row: FileRow): Promise<PlanRecord[]> {
  if (row.planKey === null) throw new Error('the file has no plan');
  const size = (await deps.files.size(row.planKey)) ?? 0;
  const bytes = await deps.files.readRange(row.planKey, { offset: 0, length: size });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: size / PLAN_RECORD_BYTES }, (_, index) => readPlanRecord(view, index));
}

/** The text of a planned line. */
export async function lineText(deps: Deps, row: FileRow, { offset, length }: PlanRecord): Promise<string> {
  return Buffer.from(await deps.files.readRange(row.contentKey, { offset, length })).toString();
}

/** Keys of every object in the store. */
export async function objects(deps: Deps): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of deps.files.list('')) keys.push(object.key);
  return keys;
}
