import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { ADMIN_KEY, startWeir, type Weir } from './weir.ts';

let weir: Weir;
let provider: Server;
/** Bodies as they came to the provider, and the answers that it has not given yet. */
let asked: Buffer[];
let hanging: ServerResponse[];
let answerWith: (content: string) => Buffer | null;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeEach(async () => {
  asked = [];
  hanging = [];
  answerWith = (content) =>
    Buffer.from(
      JSON.stringify({
        id: 'chatcmpl-1',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }),
    );
  provider = createServer((incoming, response) => void take(incoming, response)).listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/v1`;
  weir = await startWeir({
    providers: { p: { kind: 'vllm', base_urls: [url], models: ['m'], price: { input: 1, output: 2 } } },
  });
});

async function take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const raw = Buffer.concat(await incoming.toArray());
  asked.push(raw);
  const { messages } = JSON.parse(raw.toString('utf8')) as { messages: { content: string }[] };
  const answer = answerWith(messages[0]?.content ?? '');
  if (answer === null) hanging.push(response);
  else response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
}

afterEach(async () => {
  agent.destroy();
  await weir.stop();
  provider.closeAllConnections();
  provider.close();
});

/** Over the one connection that all calls share. */
function call(body: string) {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const sent = request(`${weir.url}/v1/chat/completions`, { method: 'POST', headers, agent });
  sent.end(body);
  return sent;
}

async function answerOf(body: string): Promise<{ length: string | undefined; bytes: Buffer }> {
  const [answer] = await once(call(body), 'response');
  const bytes = Buffer.concat(await answer.toArray());
  expect([answer.statusCode, answer.headers['x-weir-cost-nano-usd']], bytes.toString()).toEqual([200, '3000']);
  return { length: answer.headers['content-length'], bytes };
}

async function entries(): Promise<LedgerEntryObject[]> {
  return (await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?order=asc')).data;
}

it('requests and answers in any script and of any size pass byte for byte, a request’s model apart', async () => {
  const texts = ['plain', 'ü€𝄞 日本語 \u0000\\"', 'é'.repeat(40_000), 'long '.repeat(20_000)];
  for (const text of texts) {
    const body = `{ "messages": [{"role":"user","content":${JSON.stringify(text)}}], "n2": 12345678901234567890, "model": "p/m" }`;
    const { length, bytes } = await answerOf(body);
    expect(bytes.equals(answerWith(text) ?? Buffer.alloc(0))).toBe(true);
    expect(length).toBe(String(bytes.length));
    expect(asked.at(-1)?.toString('utf8')).toBe(body.replace('"p/m"', '"m"'));
  }
  const settled = await entries();
  expect(settled.map(({ status, amount_nano_usd: amount }) => [status, amount])).toEqual(
    texts.map(() => ['succeeded', 3_000]),
  );
});

it('a client that leaves ends the call that its connection carries, whatever the connection carried before', async () => {
  const body = JSON.stringify({ model: 'p/m', messages: [{ role: 'user', content: 'x' }] });
  await answerOf(body);
  await answerOf(body);
  const answered = answerWith;
  answerWith = () => null;
  const left = call(body);
  left.on('error', () => undefined);
  await expect.poll(() => hanging.length).toBe(1);
  const closed = once(hanging[0] as ServerResponse, 'close');
  left.destroy();
  await closed;
  answerWith = answered;
  await answerOf(body);
  await expect
    .poll(async () => (await entries()).map(({ status }) => status).toSorted(), { timeout: 5_000 })
    .toEqual(['succeeded', 'succeeded', 'succeeded', 'unknown']);
});

it('a body that is cut off costs nothing, and the next call goes on', async () => {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-length': '1000' };
  const cut = request(`${weir.url}/v1/chat/completions`, { method: 'POST', headers });
  cut.on('error', () => undefined);
  cut.write('{"model":');
  await once(cut, 'socket');
  await expect.poll(() => cut.writableLength).toBe(0);
  cut.destroy();
  await answerOf(JSON.stringify({ model: 'p/m', messages: [{ role: 'user', content: 'x' }] }));
  expect([asked.length, (await entries()).length]).toEqual([1, 1]);
});
