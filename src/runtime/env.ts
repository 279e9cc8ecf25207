/** Variables by name, as a process or a Worker is given them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The process's environment; no other file reads it. */
export function processEnvironment(): Environment {
  return { ...process.env };
}
