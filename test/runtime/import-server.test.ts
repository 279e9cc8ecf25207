import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryFolder } from '../e2e/weir.ts';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../src/runtime/import-server.ts')).href;

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `script` prints, in a process that reads the server. */
function print(script: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }).trim();
}

it('gives back what was compiled of each part before the next is read', () => {
  const cache = JSON.stringify(join(folder, 'cache'));
  // A file that was not compiled before is written with what is given back.
  const written = print(`
    import { enableCompileCache, flushCompileCache, getCompileCacheDir, registerHooks } from 'node:module';
    import { readdirSync } from 'node:fs';
    enableCompileCache(${cache});
    const { importServer } = await import(${JSON.stringify(MODULE)});
    flushCompileCache();
    const seen = [];
    registerHooks({ load(url, context, next) {
      if (/(open-node|app|node)\\.ts$/.test(url) && /(store|http|runtime)\\/[a-z-]+\\.ts$/.test(url)) {
        seen.push(readdirSync(getCompileCacheDir()).length);
      }
      return next(url, context);
    } });
    await importServer();
    console.log(JSON.stringify(seen));
  `);
  const seen = JSON.parse(written) as number[];
  expect(seen).toHaveLength(3);
  expect(seen.every((files, index) => index === 0 || files > (seen[index - 1] as number))).toBe(true);
});

it('reads nothing that only streams, webhooks, providers or another kind of database need, nor languages', () => {
  const read = print(`
    import { registerHooks } from 'node:module';
    const packages = new Set();
    const languages = [];
    const providers = new Set();
    registerHooks({ load(url, context, next) {
      packages.add(/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*node_modules)/.exec(url)?.[1] ?? '');
      providers.add(/\\/providers\\/([^/]+)\\/[^/]+$/.exec(url)?.[1] ?? '');
      if (url.includes('/locales/')) languages.push(url.replace(/.*\\//, ''));
      return next(url, context);
    } });
    const { importServer } = await import(${JSON.stringify(MODULE)});
    const { startServer } = await importServer();
    if (typeof startServer !== 'function') throw new Error('no server');
    const { z } = await import('zod');
    const said = z.string().safeParse(1).error.issues[0].message;
    console.log(JSON.stringify({ packages: [...packages], providers: [...providers], languages, said }));
  `);
  const { packages, providers, languages, said } = JSON.parse(read);
  expect(packages).toContain('hono');
  for (const late of ['undici', 'yaml', '@libsql/client', 'google-auth-library', '@aws-sdk/client-s3', 'openai']) {
    expect(packages).not.toContain(late);
  }
  expect(providers.filter((name: string) => name !== '' && name !== 'shared')).toEqual([]);
  expect(languages).toEqual(['en.js']);
  expect(said).toBe('Invalid input: expected string, received number');
});
