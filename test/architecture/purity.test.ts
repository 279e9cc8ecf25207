import { describe, expect, it } from 'vitest';
import { readSources, withoutComments } from './source-tree.ts';

const PURE_FOLDERS = ['src/protocol/', 'src/core/', 'src/ports/'];
const PURE_PROVIDER_FILES = /^providers\/[^/]+\/(convert|status|results|usage)\.ts$/;

/** Effects that must come as arguments. */
const EFFECTS: { name: string; pattern: RegExp }[] = [
  { name: 'the clock', pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/ },
  { name: 'timers', pattern: /\bset(Timeout|Interval|Immediate)\(/ },
  { name: 'randomness', pattern: /\bMath\.random\(|\bcrypto\.(getRandomValues|randomUUID)\(|\brandomBytes\(/ },
  { name: 'the environment', pattern: /\bprocess\.(env|argv|exit|stdout|stderr)\b/ },
  { name: 'the network', pattern: /\bfetch\(/ },
  { name: 'the console', pattern: /\bconsole\.\w+\(/ },
];

/** Node modules that only compute. */
const PURE_MODULES = ['node:buffer', 'node:crypto', 'node:zlib'];

const pure = readSources('src/protocol', 'src/core', 'src/ports', 'providers').filter(
  ({ path }) => PURE_FOLDERS.some((folder) => path.startsWith(folder)) || PURE_PROVIDER_FILES.test(path),
);

describe('purity', () => {
  it('protocol, core, ports and the mapping files of providers use no effect', () => {
    const wrong = pure.flatMap(({ path, text }) => {
      const code = withoutComments(text);
      return EFFECTS.filter(({ pattern }) => pattern.test(code)).map(({ name }) => `${path} uses ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  it('they import no module that reads or writes', () => {
    const wrong = pure.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, local }) => !local && target.startsWith('node:') && !PURE_MODULES.includes(target))
        .map(({ target }) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('only the runtime reads the environment', () => {
    const wrong = readSources('src', 'providers')
      .filter(({ path }) => !path.startsWith('src/runtime/') && !path.startsWith('providers/sandbox/servers/main'))
      .filter(({ text }) => /\bprocess\.env\b/.test(withoutComments(text)))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });
});
