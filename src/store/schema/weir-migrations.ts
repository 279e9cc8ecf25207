import { integer, sqliteTable, text } from '#drizzle';

/** The migrations that this database has had. */
export const weirMigrations = sqliteTable('weir_migrations', {
  name: text('name').primaryKey().notNull(),
  appliedAt: integer('applied_at').notNull(),
});
