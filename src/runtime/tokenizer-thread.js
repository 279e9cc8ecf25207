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

async function count({ encoding, texts }) {
  const { countTokens } = await READERS[encoding]();
  return texts.reduce((sum, text) => sum + countTokens(text, PLAIN), 0);
}

parentPort.on('message', ({ id, ...order }) => {
  count(order).then(
    (result) => parentPort.postMessage({ id, error: null, result }),
    (error) => parentPort.postMessage({ id, error: { message: String(error), code: null }, result: null }),
  );
});
