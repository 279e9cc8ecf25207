import { type Database, isConstraintFailure } from './client.ts';
import { NewerDatabase } from './newer-database.ts';

export interface Migration {
  name: string;
  statements: readonly string[];
}

const CREATE_TABLE =
  'create table if not exists weir_migrations (name text primary key not null, applied_at integer not null)';

/**
 * Brings the database to the last of `migrations`, each in one atomic write, or all in one where the database is new.
 * Processes that start together do not disturb one another. Throws, and changes nothing, when the database has had a
 * migration that is not among them.
 */
export async function migrate(database: Database, migrations: readonly Migration[]): Promise<void> {
  await database.write([{ sql: CREATE_TABLE, args: [] }]);
  for (;;) {
    const applied = await appliedNames(database);
    refuseUnknown(applied, migrations);
    const missing = migrations.filter(({ name }) => !applied.has(name));
    if (missing.length === 0) return;
    // A new database has nothing to convert: one wait for the disk, and one call to a server, for all.
    await apply(database, applied.size === 0 ? missing : missing.slice(0, 1));
  }
}

async function appliedNames(database: Database): Promise<Set<string>> {
  const rows = await database.read({ sql: 'select name from weir_migrations', args: [] });
  return new Set(rows.map((row) => String(row.name)));
}

function refuseUnknown(applied: ReadonlySet<string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = [...applied].filter((name) => !known.has(name)).sort();
  if (unknown.length === 0) return;
  throw new NewerDatabase(
    `The database was written by a newer version of Weir: it has had ${unknown.join(', ')}, which this version does not know. ` +
      'Start that version or a later one, or restore a backup from before the upgrade.',
  );
}

/** Some migrations in one atomic write. */
async function apply(database: Database, migrations: readonly Migration[]): Promise<void> {
  const statements = migrations.flatMap(({ name, statements: own }) => [
    { sql: 'insert into weir_migrations (name, applied_at) values (?, unixepoch())', args: [name] },
    ...own.map((sql) => ({ sql, args: [] })),
  ]);
  try {
    await database.write(statements);
  } catch (error) {
    // Another process was faster; the caller looks again.
    if (!isConstraintFailure(error, 'weir_migrations.name')) throw error;
  }
}
