import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, codeOf, start } from './answers.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, splitConfig, startPools, startWeir, type Weir, waitForBatch } from './weir.ts';

const BOUNDARY = 'weir-test-boundary';
const FORM = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
const part = (head: string, content: string | Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`),
    Buffer.from(content as string),
    Buffer.from('\r\n'),
  ]);
const form = (...parts: Buffer[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]));
const purpose = part('name="purpose"', 'batch');
const file = (content: string | Uint8Array, head = 'name="file"; filename="in.jsonl"') => part(head, content);

describe('uploads as clients send them', () => {
  let pools: Pools;
  let weir: Weir;
  const input = chatLines(4, (index) => ({ messages: [{ role: 'user', content: `${index} 😀 é 語 \u2028` }] }));

  beforeAll(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'], log_size: 100 }]);
    weir = await startWeir(splitConfig([pools.servers[0]?.baseUrl ?? ''], [1]));
  });
  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  const send = (body: BodyInit, headers: Record<string, string> = FORM) =>
    ask(weir, '/v1/files', { method: 'POST', body, headers, duplex: 'half' } as RequestInit);

  it.each<[string, Buffer[], string]>([
    ['the purpose before the file', [purpose, file(input)], 'in.jsonl'],
    ['the purpose after the file', [file(input), purpose], 'in.jsonl'],
    ['no filename', [purpose, file(input, 'name="file"')], 'upload'],
    ['an empty filename', [purpose, file(input, 'name="file"; filename=""')], 'upload'],
    ['a filename that is no .jsonl', [purpose, file(input, 'name="file"; filename="data"')], 'data'],
    ['a path as filename', [purpose, file(input, 'name="file"; filename="../../etc/x.jsonl"')], 'x.jsonl'],
    ['a path of Windows', [purpose, file(input, 'name="file"; filename="C:\\x\\y.jsonl"')], 'y.jsonl'],
    ['a filename of dots', [purpose, file(input, 'name="file"; filename=".."')], 'upload'],
    ['a filename of 1 kB', [purpose, file(input, `name="file"; filename="${'語'.repeat(340)}"`)], '語'.repeat(340)],
    ['fields nobody knows', [part('name="user"', 'me'), purpose, file(input)], 'in.jsonl'],
  ])('%s: the file is taken, whole and by a safe name', async (_name, parts, filename) => {
    const { status, body } = await send(form(...parts));
    expect(status).toBe(200);
    expect(body).toMatchObject({ bytes: Buffer.byteLength(input), filename, purpose: 'batch', status: 'processed' });
    expect(await (await weir.client.files.content(String(body.id))).text()).toBe(input);
  });

  it.each<[string, Buffer[], number, string]>([
    ['no purpose: 400 missing_required_parameter', [file(input)], 400, 'missing_required_parameter'],
    ['an unknown purpose: 400 invalid_value', [part('name="purpose"', 'x'), file(input)], 400, 'invalid_value'],
    ['no file: 400 missing_required_parameter', [purpose], 400, 'missing_required_parameter'],
    ['two files: 400 invalid_form', [purpose, file(input), file(input)], 400, 'invalid_form'],
    [
      'a file under another name: 400 invalid_form',
      [purpose, file(input, 'name="doc"; filename="x"')],
      400,
      'invalid_form',
    ],
    [
      'a hundred fields: 400 invalid_form',
      [...Array<Buffer>(100).fill(part('name="x"', 'y')), file(input)],
      400,
      'invalid_form',
    ],
    [
      'a filename of 10 kB: 400 string_above_max_length',
      [purpose, file(input, `name="file"; filename="${'x'.repeat(10_000)}"`)],
      400,
      'string_above_max_length',
    ],
  ])('%s', async (_name, parts, status, code) => {
    const answer = await send(form(...parts));
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  it('no form at all: 400 invalid_form', async () => {
    const answer = await send(input, { 'content-type': 'application/json' });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_form']);
  });

  it('a form without its last boundary: 400 invalid_form', async () => {
    const whole = form(purpose, file(input));
    const answer = await send(whole.slice(0, -BOUNDARY.length - 6));
    expect([answer.status, codeOf(answer)]).toEqual([400, 'invalid_form']);
  });

  it('a compressed form: 415', async () => {
    const body = new Uint8Array(gzipSync(form(purpose, file(input))));
    const answer = await send(body, { ...FORM, 'content-encoding': 'gzip' });
    expect([answer.status, codeOf(answer)]).toEqual([415, 'unsupported_content_encoding']);
  });

  it('in pieces of seven bytes without a length, cut through characters: every line runs', async () => {
    const whole = form(purpose, file(input));
    let at = 0;
    const pieces = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(whole.slice(at, at + 7));
        at += 7;
        if (at >= whole.length) controller.close();
      },
    });
    const { body } = await send(pieces);
    const batch = await start(weir, String(body.id));
    await waitForBatch(weir, batch.id);
    const { output } = await assertInvariants(weir, batch.id, input);
    expect(output).toHaveLength(4);
    const contents = pools.servers[0]?.requests.map(
      (request) => JSON.parse(request.body).messages[0].content as string,
    );
    expect(contents?.toSorted()).toEqual([0, 1, 2, 3].map((index) => `${index} 😀 é 語 \u2028`));
  });

  it('a client that leaves in the middle: no file, no leftovers', async () => {
    const before = await list();
    const whole = form(purpose, file('x'.repeat(100_000)));
    const { hostname, port } = new URL(weir.url);
    const socket = connectSocket(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(
      `POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${weir.client.apiKey}\r\n` +
        `content-type: ${FORM['content-type']}\r\ncontent-length: ${whole.length}\r\n\r\n`,
    );
    await new Promise<void>((sent) => socket.write(whole.subarray(0, 50_000), () => sent()));
    socket.destroy();
    // The next upload goes through while the first is cleaned up, and is the only one in the list.
    const { body } = await send(form(purpose, file(input)));
    expect((await list()).filter((id) => !before.includes(id))).toEqual([body.id]);
  });

  async function list(): Promise<string[]> {
    return (await weir.client.files.list()).data.map((each) => each.id);
  }

  it.each([
    ['user data is no batch input: 400 invalid_file_purpose', 'user_data', 'invalid_file_purpose'],
    ['an eval file is no batch input: 400 invalid_file_purpose', 'evals', 'invalid_file_purpose'],
  ])('%s', async (_name, other, code) => {
    const { body } = await send(form(part('name="purpose"', other), file('not JSON at all')));
    const answer = await ask(weir, '/v1/batches', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input_file_id: body.id, endpoint: '/v1/chat/completions', completion_window: '24h' }),
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  it.each<[string, object, string]>([
    ['no input_file_id', { input_file_id: undefined }, 'input_file_id'],
    ['an unknown file', { input_file_id: 'file-unknown' }, 'input_file_id'],
    ['an unknown endpoint', { endpoint: '/v1/images' }, 'endpoint'],
    ['a full URL as endpoint', { endpoint: 'http://evil.example/v1/chat/completions' }, 'endpoint'],
    ['an endpoint with dots', { endpoint: '/v1/../v1/chat/completions' }, 'endpoint'],
    ['a window of nothing', { completion_window: '0h' }, 'completion_window'],
    ['a window in words', { completion_window: 'tomorrow' }, 'completion_window'],
    ['a window of a year', { completion_window: '365d' }, 'completion_window'],
    ['an unknown route', { config: 'no-such-route' }, 'config'],
    [
      'a route with an unknown field',
      { config: { targets: [{ provider: 'pool-a', weigth: 1 }] } },
      'config.targets[0]',
    ],
    ['a route with a key', { config: { targets: [{ provider: 'pool-a', api_key: 'x' }] } }, 'config.targets[0]'],
    [
      '17 pairs of metadata',
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, 'x'])) },
      'metadata',
    ],
    ['metadata that is no text', { metadata: { a: 1 } }, 'metadata.a'],
    ['a metadata key of 65', { metadata: { ['k'.repeat(65)]: 'x' } }, `metadata.${'k'.repeat(64)}`],
    ['a metadata value of 513', { metadata: { a: 'x'.repeat(513) } }, 'metadata.a'],
    [
      'outputs that expire at once',
      { output_expires_after: { anchor: 'created_at', seconds: 1 } },
      'output_expires_after.seconds',
    ],
  ])('a create with %s: 400 by name', async (_name, change, param) => {
    const { body } = await send(form(purpose, file(input)));
    const create = { input_file_id: body.id, endpoint: '/v1/chat/completions', completion_window: '24h', ...change };
    const answer = await ask(weir, '/v1/batches', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(create),
    });
    expect(answer.status).toBe(400);
    expect((answer.body.error as { param: string }).param).toContain(param);
  });
});
