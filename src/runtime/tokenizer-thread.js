/**
 * The thread that counts tokens, started by tokenizers.ts. Plain JavaScript, because reading TypeScript costs each thread
 * 16 MB that it needs for nothing else.
 */
import { parentPort } from 'node:worker_threads';

/** Special tokens in a request are text like any other. */
const PLAIN = { allowedSpecial: new Set(), disallowedSpecial: new Set() };

const READERS = {
  o200k_base: () => import('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => import('gpt-tokenizer/encoding/cl100k_base'),
};

/** A word takes time with the square of its length: 64 KB of text that has no blanks would take seven to fifteen seconds. */
const WORD_MAX = 256;
const LONG_WORD = new RegExp(`(?:\\S{${WORD_MAX}}|\\s{${WORD_MAX}})(?=.)`, 'gsu');

/** The text, with words cut that are longer than any language's: a cut adds a token at most. */
function* pieces(text) {
  let from = 0;
  for (const { index, 0: word } of text.matchAll(LONG_WORD)) {
    const to = index + word.length;
    yield text.slice(from, to);
    from = to;
  }
  yield text.slice(from);
}

async function count({ encoding, texts }) {
  const { countTokens } = await READERS[encoding]();
  let tokens = 0;
  for (const text of texts) for (const piece of pieces(text)) tokens += countTokens(piece, PLAIN);
  return tokens;
}

parentPort.on('message', ({ id, ...order }) => {
  count(order).then(
    (result) => parentPort.postMessage({ id, error: null, result }),
    (error) => parentPort.postMessage({ id, error: { message: String(error), code: null }, result: null }),
  );
});
