import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Assets } from '../ports/assets.ts';

const TYPES: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  png: 'image/png',
};

/** The files of swagger-ui-dist as npm installed them. */
export function nodeAssets(): Assets {
  const folder = fileURLToPath(new URL('.', import.meta.resolve('swagger-ui-dist/package.json')));
  const known = new Map<string, { bytes: Uint8Array; type: string }>();
  return {
    async read(name) {
      const type = TYPES[name.split('.').at(-1) ?? ''];
      if (name !== basename(name) || type === undefined) return null;
      const cached = known.get(name);
      if (cached) return cached;
      const bytes = await readFile(join(folder, name)).catch(() => null);
      if (bytes === null) return null;
      const asset = { bytes: new Uint8Array(bytes), type };
      known.set(name, asset);
      return asset;
    },
  };
}
