import type { Migration } from '../migrate.ts';

/** Answers that routes allow to be given again. */
export const cachedAnswers: Migration = {
  name: '0011-cached-answers',
  statements: [
    `create table cached_answers (
      key text primary key not null,
      tenant_id text not null,
      answer text not null,
      created_at integer not null,
      expires_at integer not null
    )`,
    'create index cached_answers_expiry on cached_answers (expires_at)',
  ],
};
