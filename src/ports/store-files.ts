import type { PlanSummary } from '../core/plan.ts';
import type { FilePurpose } from '../protocol/file.ts';
import type { ListQuery, Scope } from './store-query.ts';

export interface FileRow {
  id: string;
  tenantId: string;
  keyId: string | null;
  filename: string;
  purpose: FilePurpose;
  bytes: number;
  /** Lower-case hex SHA-256 of the content. */
  sha256: string;
  createdAt: number;
  expiresAt: number | null;
  deletedAt: number | null;
  contentKey: string;
  /** The plan file's key; null when the file is not a batch input. */
  planKey: string | null;
  plan: PlanSummary | null;
}

export interface StoreFiles {
  /** Adds a row; a row with this id already there is left as it is. */
  insert(row: FileRow): Promise<void>;
  /** A row that is not deleted; null otherwise. */
  get(scope: Scope, id: string): Promise<FileRow | null>;
  /** A row even when deleted, for batches that still run on it. */
  getAny(id: string): Promise<FileRow | null>;
  /** Up to `limit` rows; null when `after` names no row of the tenant. */
  list(tenantId: string, query: ListQuery & { purpose?: string | undefined }): Promise<FileRow[] | null>;
  /** Bytes of a key's files that are not deleted, and of its uploads that are under way. */
  bytesOfKey(keyId: string): Promise<number>;
  /** Marks as deleted; true when it was there. The bytes go later (purgeable). */
  markDeleted(scope: Scope, id: string, now: number): Promise<boolean>;
  /** Marks as deleted what expired by `now`; returns how many. */
  markExpired(now: number, limit: number): Promise<number>;
  /** Deleted rows that are not purged yet, and whose bytes no live batch needs, nor a shard that was abandoned. */
  purgeable(limit: number): Promise<FileRow[]>;
  markPurged(ids: readonly string[], now: number): Promise<void>;
}
