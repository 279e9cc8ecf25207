/** The database has migrations that this version does not know. The message says what to do. */
export class NewerDatabase extends Error {
  override readonly name = 'NewerDatabase';
}
