import { and, asc, eq, getTableColumns, inArray, lte, ne } from '#drizzle';
import type { FileRow } from '../ports/store-files.ts';
import type { Scope } from '../ports/store-query.ts';
import type { StoreUploads, UploadPartRow, UploadRow } from '../ports/store-uploads.ts';
import type { Database } from './client.ts';
import { inScope } from './cursor.ts';
import { insertFile } from './files.ts';
import { uploadParts } from './schema/upload-parts.ts';
import { uploads } from './schema/uploads.ts';

const { seq: _seq, tenantId: _tenantId, ...partColumns } = getTableColumns(uploadParts);

export class LibsqlUploads implements StoreUploads {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async insert(row: UploadRow): Promise<void> {
    await this.#db.orm.insert(uploads).values(row).onConflictDoNothing({ target: uploads.id });
  }

  async get(scope: Scope, id: string): Promise<UploadRow | null> {
    const row = await this.#db.orm
      .select()
      .from(uploads)
      .where(and(eq(uploads.id, id), inScope(uploads, scope)))
      .get();
    return row ?? null;
  }

  async addPart(row: UploadPartRow): Promise<boolean> {
    const [, pending] = await this.#db.write([
      {
        sql: `insert into upload_parts (id, upload_id, tenant_id, bytes, content_key, created_at)
              select ?, id, tenant_id, ?, ?, ? from uploads where id = ? and status = 'pending'
              on conflict (id) do nothing`,
        args: [row.id, row.bytes, row.contentKey, row.createdAt, row.uploadId],
      },
      { sql: `select 1 from uploads where id = ? and status = 'pending'`, args: [row.uploadId] },
    ]);
    return pending !== undefined && pending.rows.length > 0;
  }

  async parts(uploadId: string): Promise<UploadPartRow[]> {
    return this.#db.orm
      .select(partColumns)
      .from(uploadParts)
      .where(eq(uploadParts.uploadId, uploadId))
      .orderBy(asc(uploadParts.seq));
  }

  async complete(id: string, file: FileRow): Promise<boolean> {
    const pending = { sql: `exists (select 1 from uploads where id = ? and status = 'pending')`, args: [id] };
    const move = { sql: `update uploads set status = 'completed', file_id = ? where id = ?`, args: [file.id, id] };
    return (await this.#db.writeIf(pending, [insertFile(file), move])) !== null;
  }

  async finish(id: string, status: Exclude<UploadRow['status'], 'pending'>, fileId: string | null): Promise<boolean> {
    const moved = await this.#db.orm
      .update(uploads)
      .set({ status, fileId })
      .where(and(eq(uploads.id, id), eq(uploads.status, 'pending')))
      .returning({ id: uploads.id });
    return moved.length > 0;
  }

  async expired(now: number, limit: number): Promise<UploadRow[]> {
    return this.#db.orm
      .select()
      .from(uploads)
      .where(and(eq(uploads.status, 'pending'), lte(uploads.expiresAt, now)))
      .orderBy(asc(uploads.expiresAt))
      .limit(limit);
  }

  async withLeftoverParts(limit: number): Promise<UploadRow[]> {
    const withParts = this.#db.orm.selectDistinct({ id: uploadParts.uploadId }).from(uploadParts);
    return this.#db.orm
      .select()
      .from(uploads)
      .where(and(inArray(uploads.id, withParts), ne(uploads.status, 'pending')))
      .limit(limit);
  }

  async deleteParts(uploadId: string): Promise<void> {
    await this.#db.orm.delete(uploadParts).where(eq(uploadParts.uploadId, uploadId));
  }
}
