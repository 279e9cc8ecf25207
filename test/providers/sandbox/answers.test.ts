import { expect, test } from 'vitest';
import { cutToTokens, splitIntoPieces, writeText } from '../../../providers/sandbox/servers/text.ts';
import { chat, post, postChat, withServer } from './calls.ts';

test('equal requests get equal answers from servers with the same seed, other seeds other answers', async () => {
  const ask = async (seed: number) => {
    let text = '';
    await withServer({ seed }, async (server) => {
      text = await (await postChat(server, 'The same question')).text();
      expect(await (await postChat(server, 'The same question')).text()).toBe(text);
      expect(await (await postChat(server, 'Another question')).text()).not.toBe(text);
    });
    return text;
  };
  expect(await ask(7)).toBe(await ask(7));
  expect(await ask(7)).not.toBe(await ask(8));
});

test('request ids are never repeated', async () => {
  await withServer({}, async (server) => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await postChat(server, 'x')).headers.get('x-request-id')),
    );
    expect(new Set(ids).size).toBe(20);
  });
});

test('a recorded answer takes the place of an invented one, with its own token count', async () => {
  const recorded = 'Recorded: 18 apples.';
  const answer = (body: Record<string, unknown>) => (body.user === 'known' ? recorded : undefined);
  await withServer({ answer }, async (server) => {
    const known = await (await postChat(server, 'x', { user: 'known' })).json();
    expect(known).toMatchObject({ choices: [{ message: { content: recorded } }], usage: { completion_tokens: 5 } });
    const other = await (await postChat(server, 'x')).text();
    expect(other).not.toContain(recorded);
    server.configure({ answer: undefined });
    expect(await (await postChat(server, 'x', { user: 'known' })).text()).not.toContain(recorded);
  });
});

test('a recorded answer that throws becomes a 500 and the server goes on', async () => {
  const answer = (): string => {
    throw new Error('no such recording');
  };
  await withServer({ answer }, async (server) => {
    const failed = await postChat(server, 'x');
    expect(failed.status).toBe(500);
    expect(await failed.json()).toMatchObject({ error: { message: expect.stringContaining('no such recording') } });
    server.configure({ answer: undefined });
    expect((await postChat(server, 'x')).status).toBe(200);
  });
});

test('usage is left out, told as zeros or with a cached part as configured', async () => {
  await withServer({ usage: 'absent' }, async (server) => {
    const usageOf = async (path: string, body: unknown) =>
      ((await (await post(server, path, body)).json()) as { usage?: unknown }).usage;
    const bodies: [string, unknown][] = [
      ['/v1/chat/completions', chat('word '.repeat(8))],
      ['/v1/responses', { input: 'word '.repeat(8) }],
      ['/v1/embeddings', { input: 'word '.repeat(8) }],
    ];
    for (const [path, body] of bodies) expect(await usageOf(path, body)).toBeUndefined();
    server.configure({ usage: 'zeros' });
    for (const [path, body] of bodies) expect(await usageOf(path, body)).toMatchObject({ total_tokens: 0 });
    server.configure({ usage: 'cached' });
    const [chatBody, responseBody] = bodies;
    expect(await usageOf(...(chatBody as [string, unknown]))).toMatchObject({
      prompt_tokens: 10,
      prompt_tokens_details: { cached_tokens: 5 },
    });
    expect(await usageOf(...(responseBody as [string, unknown]))).toMatchObject({
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 5 },
    });
    // What the server really did is counted, whatever it told.
    expect(server.counters.tokens_in).toBe(80);
    expect(server.counters.cached_tokens).toBe(10);
  });
});

test('finish reasons can be forced', async () => {
  await withServer({}, async (server) => {
    const cases = [
      [{ rate_length: 1 }, 'length', { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }],
      [
        { rate_length: 0, rate_content_filter: 1 },
        'content_filter',
        { incomplete_details: { reason: 'content_filter' } },
      ],
      [{ rate_content_filter: 0, rate_abort: 1 }, 'abort', { status: 'failed' }],
    ] as const;
    for (const [options, finish, response] of cases) {
      server.configure(options);
      expect(await (await postChat(server, 'x')).json()).toMatchObject({ choices: [{ finish_reason: finish }] });
      expect(await (await post(server, '/v1/responses', { input: 'x' })).json()).toMatchObject(response);
    }
    const expected = new Map([
      ['length', 2],
      ['content_filter', 2],
      ['abort', 2],
    ]);
    expect(server.counters.by_finish_reason).toEqual(expected);
  });
});

test('messages of parts, images and tool results count as prompt tokens', async () => {
  await withServer({}, async (server) => {
    const content = [
      { type: 'text', text: '12345678' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    ];
    const answer = await post(server, '/v1/chat/completions', { messages: [{ role: 'user', content }] });
    expect(await answer.json()).toMatchObject({ usage: { prompt_tokens: 2 + 85 } });
    const input = [{ type: 'function_call_output', call_id: 'c', output: '12345678' }];
    const response = await post(server, '/v1/responses', { input, instructions: '1234' });
    expect(await response.json()).toMatchObject({ usage: { input_tokens: 3 } });
  });
});

test('a body nested very deeply is answered and does not bring the server down', async () => {
  await withServer({}, async (server) => {
    const deep = `{"messages":[{"role":"user","content":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`;
    expect((await post(server, '/v1/chat/completions', deep)).status).toBe(200);
  });
});

test('texts are never cut inside a character', () => {
  const text = `abc${'🍏'.repeat(20)}`;
  expect(cutToTokens(text, 1)).toBe('abc');
  const pieces = splitIntoPieces(text);
  expect(pieces.join('')).toBe(text);
  for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
  expect(writeText(1)).not.toBe(writeText(2));
});
