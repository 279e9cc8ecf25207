import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { keepUploadBody, uploadBody } from '../../src/http/upload-body.ts';

/** An upload to Node whose body is still to come. */
function openUpload() {
  const incoming = Object.assign(new PassThrough(), { method: 'POST', url: '/v1/files' });
  keepUploadBody(incoming as never);
  const body = uploadBody({ env: { incoming }, get: () => undefined } as never);
  if (body === null) throw new Error('no body');
  return { incoming, body };
}

it('gives at once what has come by one turn of the event loop', async () => {
  const { incoming, body } = openUpload();
  const first = body.read();
  for (const chunk of ['one ', 'two ', 'three']) {
    incoming.emit('data', Buffer.from(chunk));
    // Whoever waits has its turn after each chunk.
    await Promise.resolve();
  }
  expect(Buffer.from((await first).value ?? []).toString()).toBe('one two three');
  incoming.end('the rest');
  expect(Buffer.from((await body.read()).value ?? []).toString()).toBe('the rest');
  expect((await body.read()).done).toBe(true);
});

it('gives large pieces as soon as they are full, and holds the sender back until they are read', async () => {
  const { incoming, body } = openUpload();
  const first = body.read();
  for (let count = 0; count < 4; count++) incoming.emit('data', Buffer.alloc(64 * 1024, count));
  expect(incoming.isPaused()).toBe(true);
  expect((await first).value?.length).toBe(256 * 1024);
  expect(incoming.isPaused()).toBe(false);
});
