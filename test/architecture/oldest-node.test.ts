import { expect, it } from 'vitest';
import { readSources, withoutComments } from './source-tree.ts';

/** What came after Node.js 22.19, the oldest that Weir runs on; the types of the newest know all of it. */
const TOO_NEW: Record<string, RegExp> = {
  'a `using` declaration, whose file cannot even be read': /^\s*(await )?using \w+ =/m,
  'Promise.try': /\bPromise\.try\b/,
  'RegExp.escape': /\bRegExp\.escape\b/,
  'Error.isError': /\bError\.isError\b/,
  'half precision': /\bFloat16Array\b|\bMath\.f16round\b/,
  'bytes as base64 or hex by themselves': /\bUint8Array\.from(Base64|Hex)\b|\.(setFromBase64|setFromHex|toHex)\(/,
  URLPattern: /\bURLPattern\b/,
};

it('nothing that runs needs a newer Node.js than the oldest that is let in', () => {
  const wrong = readSources('src', 'providers', 'config').flatMap(({ path, text }) => {
    const code = withoutComments(text);
    return Object.entries(TOO_NEW).flatMap(([name, pattern]) => (pattern.test(code) ? [`${path}: ${name}`] : []));
  });
  expect(wrong).toEqual([]);
});
