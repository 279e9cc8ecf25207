import { isFields } from './error-body.ts';

/** An object as Cloud Storage describes it. */
export interface GcsObject {
  name: string;
  bytes: number;
  /** Names one version of it: a download goes on with the same bytes. */
  generation: string;
  crc32c: string | null;
  /** Unix seconds. */
  createdAt: number;
}

/** One item of a listing; null when it is none. */
export function readObject(item: unknown): GcsObject | null {
  if (!isFields(item) || typeof item.name !== 'string') return null;
  const bytes = Number(item.size);
  if (!Number.isSafeInteger(bytes) || bytes < 0) return null;
  const created = typeof item.timeCreated === 'string' ? Date.parse(item.timeCreated) : 0;
  return {
    name: item.name,
    bytes,
    generation: String(item.generation ?? ''),
    crc32c: typeof item.crc32c === 'string' ? item.crc32c : null,
    createdAt: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
  };
}
