import type { Migration } from '../migrate.ts';

/** Which line asks a question that several lines have, of one batch or of several. */
export const askedLines: Migration = {
  name: '0017-asked-lines',
  statements: [
    `create table asked_lines (
      question text primary key not null,
      shard_id text not null,
      line integer not null
    )`,
    'create index asked_lines_shard on asked_lines (shard_id)',
  ],
};
