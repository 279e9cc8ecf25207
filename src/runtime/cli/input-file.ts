import { access, constants, stat } from 'node:fs/promises';
import { wrongUse } from './exit.ts';

/** Bytes of a file that is to be read; `holds` says what belongs in it. Throws CliError when there is nothing to read. */
export async function sizeOfInput(
  path: string,
  holds = 'A batch file has one JSON request per line.',
): Promise<number> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw wrongUse(`There is no file ${path}.`, 'file');
  if (!found.isFile()) throw wrongUse(`${path} is no file.`, 'file');
  if (found.size === 0) throw wrongUse(`${path} is empty. ${holds}`, 'file');
  await access(path, constants.R_OK).catch(() => {
    throw wrongUse(`${path} cannot be read: its permissions forbid it.`, 'file');
  });
  return found.size;
}
