import type { UploadPurpose } from '../protocol/file.ts';
import type { UploadStatus } from '../protocol/upload.ts';
import type { FileRow } from './store-files.ts';
import type { Scope } from './store-query.ts';

export interface UploadRow {
  id: string;
  tenantId: string;
  keyId: string | null;
  bytes: number;
  filename: string;
  mimeType: string;
  purpose: UploadPurpose;
  expiresAfterSeconds: number | null;
  createdAt: number;
  expiresAt: number;
  status: UploadStatus;
  /** The file it became. */
  fileId: string | null;
}

export interface UploadPartRow {
  id: string;
  uploadId: string;
  bytes: number;
  contentKey: string;
  createdAt: number;
}

export interface StoreUploads {
  insert(row: UploadRow): Promise<void>;
  get(scope: Scope, id: string): Promise<UploadRow | null>;
  /** Adds a part while the upload is pending; false when it no longer is. */
  addPart(row: UploadPartRow): Promise<boolean>;
  parts(uploadId: string): Promise<UploadPartRow[]>;
  /** pending → completed, together with the row of the file it became; false, and nothing written, when not pending. */
  complete(id: string, file: FileRow): Promise<boolean>;
  /** Moves pending → completed | cancelled | expired; false when it was not pending. */
  finish(id: string, status: Exclude<UploadStatus, 'pending'>, fileId: string | null): Promise<boolean>;
  /** Pending uploads past their end. */
  expired(now: number, limit: number): Promise<UploadRow[]>;
  /** Uploads that ended and still have parts; their parts' bytes can go. */
  withLeftoverParts(limit: number): Promise<UploadRow[]>;
  deleteParts(uploadId: string): Promise<void>;
}
