import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { wrongUse } from '../exit.ts';

/** The value that a YAML or JSON file holds. Throws CliError that names the option and what is wrong. */
export async function readDocument(path: string, option: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? `There is no file ${path}` : `${path} cannot be read (${error.code})`;
    throw wrongUse(`${why}, which --${option} names.`, option);
  });
  try {
    // YAML 1.2 holds JSON.
    return parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw wrongUse(`${path} is neither YAML nor JSON: ${error instanceof Error ? error.message : error}`, option);
  }
}
