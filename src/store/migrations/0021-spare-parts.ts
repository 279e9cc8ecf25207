import type { Migration } from '../migrate.ts';

/** Answers of provider batches that were not taken are kept until their lines have results. */
export const spareParts: Migration = {
  name: '0021-spare-parts',
  statements: [
    `create table spare_parts (
      seq integer primary key autoincrement,
      key text not null,
      batch_id text not null,
      first_line integer not null,
      last_line integer not null,
      count integer not null,
      bytes integer not null,
      index_offset integer not null,
      created_at integer not null
    )`,
    'create index spare_parts_batch on spare_parts (batch_id, seq)',
  ],
};
