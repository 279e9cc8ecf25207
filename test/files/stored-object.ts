import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The path of the content or plan of file `id`, in the folder that has the objects of files. */
export async function storedObject(folder: string, id: string, kind: 'content' | 'plan'): Promise<string> {
  const names = await readdir(folder);
  const name = names.find((each) => each.split('.')[0] === id && each.endsWith('.plan') === (kind === 'plan'));
  if (name === undefined) throw new Error(`there is no ${kind} of ${id}`);
  return join(folder, name);
}
