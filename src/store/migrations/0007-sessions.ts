import type { Migration } from '../migrate.ts';

/** Browsers that are signed in to the dashboard. */
export const sessions: Migration = {
  name: '0007-sessions',
  statements: [
    `create table sessions (
      hash text primary key not null,
      key_id text,
      tenant_id text not null,
      role text not null,
      operator_proof text,
      created_at integer not null,
      expires_at integer not null
    )`,
    'create index sessions_expiring on sessions (expires_at)',
  ],
};
