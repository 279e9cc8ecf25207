import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kinds } from '../../providers/registry.ts';
import { ROOT, readSources, withoutComments } from './source-tree.ts';

const FILES = [
  'index.ts',
  'config.ts',
  'convert.ts',
  'client.ts',
  'status.ts',
  'results.ts',
  'usage.ts',
  'README.md',
] as const;

const folders = readdirSync(join(ROOT, 'providers'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
  .map((entry) => entry.name);

describe('provider folders', () => {
  it.each(folders)('%s has the same file names as the others', (folder) => {
    const missing = FILES.filter((file) => !existsSync(join(ROOT, 'providers', folder, file)));
    expect(missing).toEqual([]);
  });

  it('are exactly the registered kinds', () => {
    expect(folders.toSorted()).toEqual([...kinds.keys()].toSorted());
  });

  it('no source outside providers/ decides by a provider kind', () => {
    const wrong = readSources('src').flatMap(({ path, text }) =>
      folders
        .filter((kind) => new RegExp(`(===|!==|case)\\s*'${kind}'`).test(withoutComments(text)))
        .map((kind) => `${path} names ${kind}`),
    );
    expect(wrong).toEqual([]);
  });
});
