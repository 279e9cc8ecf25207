import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, start, upload } from './answers.ts';
import { assertInvariants, type Books } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const line = (customId: string, body: object = {}, change: object = {}): string =>
  JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 8, ...body },
    ...change,
  });

describe('input that is odd and no mistake', () => {
  let pools: Pools;
  let weir: Weir;

  beforeAll(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini', 'other'], log_size: 1000 }, { models: ['elsewhere'] }]);
    const price = { input: 0.15, output: 0.6 };
    const [first, second] = pools.servers.map((server) => server.baseUrl);
    weir = await startWeir({
      providers: {
        pool: { kind: 'vllm', base_urls: [first], models: ['gpt-4o-mini', 'other'], price },
        second: { kind: 'vllm', base_urls: [second], models: ['elsewhere'], price },
      },
    });
  });
  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  async function run(input: string, endpoint?: string): Promise<Books> {
    const batch = await submit(weir, input, endpoint === undefined ? {} : { endpoint });
    await waitForBatch(weir, batch.id);
    return assertInvariants(weir, batch.id, input.replaceAll('\r\n', '\n').replace('\ufeff', ''));
  }

  const sent = (): Record<string, unknown>[] =>
    (pools.servers[0]?.requests ?? []).map((request) => JSON.parse(request.body) as Record<string, unknown>);

  it.each<[string, string, number]>([
    ['a file without a last line feed', chatLines(3).trimEnd(), 3],
    ['a file of one line without a line feed', chatLines(1).trimEnd(), 1],
    ['CRLF line ends', chatLines(3).replaceAll('\n', '\r\n'), 3],
    ['a UTF-8 byte order mark', `\ufeff${chatLines(3)}`, 3],
    ['a mark and CRLF together', `\ufeff${chatLines(3)}`.replaceAll('\n', '\r\n'), 3],
    ['spaces around the objects', chatLines(3).replaceAll('\n', '  \n\t'), 3],
  ])('%s: every line is done', async (_name, input, count) => {
    const { batch } = await run(input);
    expect(batch.request_counts).toEqual({ total: count, completed: count, failed: 0 });
  });

  it('blank lines are skipped, and counted in line numbers', async () => {
    const { lines, batch } = await run(`\n${line('a')}\n\n  \t\n${line('b')}\n\n${line('c')}\n\n\n`);
    expect(lines.map((each) => [each.custom_id, each.weir.line])).toEqual([
      ['a', 2],
      ['b', 5],
      ['c', 7],
    ]);
    expect(batch.request_counts.total).toBe(3);
  });

  it('raw U+2028, U+2029 and U+0085 reach the provider as they are, and leave escaped in every file', async () => {
    const odd = 'one\u2028two\u2029three\u0085four';
    pools.servers[0]?.configure({ answer: () => `echo ${odd}` });
    const { output, batch } = await run(`${line(`id ${odd}`, { messages: [{ role: 'user', content: odd }] })}\n`);
    pools.servers[0]?.configure({ answer: undefined });
    expect(sent().at(-1)).toMatchObject({ messages: [{ content: odd }] });
    expect(output[0]).toMatchObject({ custom_id: `id ${odd}` });
    expect(JSON.stringify(output[0]?.response?.body)).toContain('echo one');
    for (const path of [
      `/v1/batches/${batch.id}/output`,
      `/v1/batches/${batch.id}/output?follow=true`,
      `/v1/ledger/entries?batch=${batch.id}&format=jsonl`,
    ]) {
      const text = String((await ask(weir, path)).body.text);
      expect(JSON.parse(text)).toMatchObject({ custom_id: `id ${odd}` });
      expect(text.split(/[\u0085\u2028\u2029]|\n$/), path).toHaveLength(2);
    }
  });

  it('escaped NULs, lone surrogates and CRs inside strings survive the way there and back', async () => {
    const odd = 'nul \u0000, high \ud83d, low \ude00, cr \r, lf \n, del \u007f';
    const { output } = await run(`${line(odd, { messages: [{ role: 'user', content: odd }] })}\n`);
    expect(sent().at(-1)).toMatchObject({ messages: [{ content: odd }] });
    expect(output[0]?.custom_id).toBe(odd);
  });

  it('custom_ids of any characters stay themselves, in files and ledger, and pollute nothing', async () => {
    const ids = [
      ...[
        'a/b',
        '../../etc/passwd',
        'C:\\x',
        '%2e%2e',
        '🙂',
        'line\nfeed',
        '=cmd|calc',
        '<b>',
        "'; drop table files --",
      ],
      ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN'],
      ...['case', 'CASE', 'caf\u00e9', 'cafe\u0301', '1', '01', '1.0', ' 1', 'x'.repeat(1024)],
    ];
    const { entries, lines } = await run(ids.map((id) => `${line(id)}\n`).join(''));
    expect(lines.map((each) => each.custom_id)).toEqual(ids);
    expect(entries.map((entry) => entry.custom_id).toSorted()).toEqual(ids.toSorted());
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('duplicate keys: the last one counts, for the check as for the provider', async () => {
    const twice = line('twice').replace('"model":"gpt-4o-mini"', '"model":"unknown","model":"other"');
    const { output, lines } = await run(
      `${twice.replace('"custom_id":"twice"', '"custom_id":1,"custom_id":"twice"')}\n`,
    );
    expect(output).toHaveLength(1);
    expect(lines[0]?.weir.model).toBe('other');
    expect(sent().at(-1)?.model).toBe('other');
  });

  it('a __proto__ member of a body pollutes nothing', async () => {
    const evil = line('evil').replace('"max_tokens":8', '"max_tokens":8,"__proto__":{"polluted":true}');
    const { batch } = await run(`${evil}\n${line('next')}\n`);
    expect(batch.request_counts.total).toBe(2);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(sent().at(-1)).not.toHaveProperty('polluted');
  });

  it('n, unknown members and exact numbers pass through', async () => {
    const odd = { n: 3, some_new_member: { deep: [1, 2.5, 1e-7] }, seed: 9007199254740991 };
    const { output } = await run(`${line('odd', odd)}\n`);
    expect(sent().at(-1)).toMatchObject(odd);
    expect(output[0]?.response?.body).toHaveProperty('choices.2');
  });

  it.each(['api_base', 'base_url', 'api_key', 'extra_headers', 'headers', 'custom_llm_provider', 'provider'])(
    'a body that sets %s: the line fails alone, and never leaves',
    async (name) => {
      const received = pools.servers[0]?.counters.received ?? 0;
      const { errors, output, entries } = await run(
        `${line('evil', { [name]: { 'x-evil': 'http://evil.example' } })}\n${line('good')}\n`,
      );
      expect(errors).toMatchObject([
        { custom_id: 'evil', response: { status_code: 400 }, error: { code: 'forbidden_parameter' } },
      ]);
      expect(errors[0]?.error?.message).toContain(name);
      expect(output.map((each) => each.custom_id)).toEqual(['good']);
      expect(entries.map((entry) => entry.custom_id)).toEqual(['good']);
      expect(pools.servers[0]?.counters.received).toBe(received + 1);
    },
  );

  it('a model that nobody has: the line fails alone, with model_not_found and no entry', async () => {
    const { errors, output, entries } = await run(`${line('a')}\n${line('b', { model: 'gpt-4o-minni' })}\n`);
    expect(output.map((each) => each.custom_id)).toEqual(['a']);
    expect(errors).toMatchObject([
      { custom_id: 'b', response: { status_code: 404 }, error: { code: 'model_not_found' } },
    ]);
    expect(errors[0]?.error?.message, 'the message knows better').toContain('gpt-4o-mini');
    expect(entries).toHaveLength(1);
  });

  it('no line has a model: completed, with nothing but an error file', async () => {
    const { batch, errors } = await run(`${line('a', { model: 'x' })}\n${line('b', { model: 'y' })}\n`);
    expect(batch).toMatchObject({ status: 'completed', output_file_id: null, usage: null });
    expect(errors).toHaveLength(2);
  });

  it('models of several providers in one file: each goes where it is', async () => {
    const { lines, batch } = await run(
      `${line('a')}\n${line('b', { model: 'elsewhere' })}\n${line('c', { model: 'pool/other' })}\n`,
    );
    expect(lines.map(({ weir: { target } }) => target)).toEqual(['pool/gpt-4o-mini', 'second/elsewhere', 'pool/other']);
    expect(batch.model).toBeNull();
  });

  it('endpoints of one family in one file, and Azure’s short urls: every line is done', async () => {
    const { output } = await run(
      [
        line('chat'),
        line('short', {}, { url: '/chat/completions' }),
        line('text', { prompt: 'Once', messages: undefined }, { url: '/v1/completions' }),
        line('response', { input: 'Hi', messages: undefined, max_tokens: undefined }, { url: '/v1/responses' }),
      ].join('\n'),
    );
    expect(output.map((each) => (each.response?.body as { object?: string } | undefined)?.object).toSorted()).toEqual([
      'chat.completion',
      'chat.completion',
      'response',
      'text_completion',
    ]);
  });

  it('a line with an image of 8 MB: it is done', async () => {
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(8_000_000)}` } };
    const { batch } = await run(
      `${line('big', { messages: [{ role: 'user', content: [image] }] })}\n${line('small')}\n`,
    );
    expect(batch.request_counts.completed).toBe(2);
  });

  it('one file under two batches at once: each has every line, and pays for its own', async () => {
    const input = chatLines(40);
    const file = await upload(weir, input);
    const batches = await Promise.all([start(weir, file), start(weir, file)]);
    const costs: number[] = [];
    for (const { id } of batches) {
      await waitForBatch(weir, id);
      costs.push((await assertInvariants(weir, id, input)).batch.cost.amount_nano_usd);
    }
    expect(costs[0]).toBeGreaterThan(0);
    expect(costs[1]).toBe(costs[0]);
  });
});
