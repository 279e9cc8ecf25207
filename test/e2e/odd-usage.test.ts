import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import { ADMIN_KEY, chatLines, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const most = Number.MAX_SAFE_INTEGER;
/** What a server may say of an answer's tokens, and what its entry comes to at 0.15 and 0.6 USD a million. */
const CASES: readonly (readonly [usage: unknown, nano: number | null])[] = [
  [{ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }, 4_500],
  [{ prompt_tokens: 1, completion_tokens: 0, total_tokens: 1 }, 150],
  // All of it is cached, for which no price of its own is stated.
  [{ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 50 } }, 4_500],
  [{ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: -50 } }, 4_500],
  [undefined, null],
  [null, null],
  [{}, null],
  ['12 tokens', null],
  [{ prompt_tokens: 10 }, null],
  [{ completion_tokens: 10 }, null],
  [{ prompt_tokens: '10', completion_tokens: '5', total_tokens: '15' }, null],
  [{ prompt_tokens: -10, completion_tokens: 5, total_tokens: -5 }, null],
  [{ prompt_tokens: 1.5, completion_tokens: 5, total_tokens: 6.5 }, null],
  [{ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, null],
  [{ prompt_tokens: 50_000_000_000_000, completion_tokens: 5 }, null],
  [{ prompt_tokens: most, completion_tokens: most }, null],
  [{ prompt_tokens: most, completion_tokens: 5, total_tokens: 15 }, null],
  [{ prompt_tokens: 1e300, completion_tokens: 5 }, null],
];

describe('a server that counts wrongly', () => {
  let server: Server | undefined;
  let weir: Weir | undefined;

  afterEach(async () => {
    await weir?.stop();
    server?.close();
    server?.closeAllConnections();
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = Number(/Question (\d+)/.exec(await text(request))?.[1]);
    const message = { role: 'assistant', content: 'hi' };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        ...{ id: 'c', object: 'chat.completion', created: 1, model: 'gpt-4o-mini', usage: CASES[line]?.[0] },
        choices: [{ index: 0, message, finish_reason: 'stop' }],
      }),
    );
  }

  async function listen(): Promise<string> {
    server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  }

  it('has its answers delivered, its known costs summed up everywhere alike, and the others unpriced, never 0', async () => {
    const price = { input: 0.15, output: 0.6 };
    const pool = { kind: 'vllm', base_urls: [await listen()], models: ['gpt-4o-mini'], price };
    weir = await startWeir({ providers: { pool } });
    const input = chatLines(CASES.length);
    const { id } = await submit(weir, input, { metadata: { team: 'a' } });
    await waitForBatch(weir, id);
    const { entries, output, batch } = await assertInvariants(weir, id, input);
    expect(output).toHaveLength(CASES.length);
    const amounts = entries.toSorted((a, b) => Number(a.line) - Number(b.line)).map((entry) => entry.amount_nano_usd);
    expect(amounts).toEqual(CASES.map(([, nano]) => nano));
    const amount = CASES.reduce((sum, [, nano]) => sum + (nano ?? 0), 0);
    const unpriced = CASES.filter(([, nano]) => nano === null).length;
    const sums = { entries: CASES.length, amount_nano_usd: amount, unpriced_entries: unpriced };
    expect(batch.cost).toMatchObject({ amount_nano_usd: amount, unpriced_entries: unpriced });
    expect(batch.usage).toMatchObject({ total_tokens: 15 + 1 + 15 + 15 });
    for (const group of ['hour', 'day', 'provider', 'model', 'key', 'batch', 'tag:team', 'status', 'target']) {
      const { data, total } = await weir.call<{ data: object[]; total: object }>(
        `/v1/ledger/summary?group_by=${group}`,
      );
      expect(data, group).toMatchObject([sums]);
      expect(total).toMatchObject(sums);
    }
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const csv = await (await fetch(`${weir.url}/v1/ledger/entries?format=csv`, { headers })).text();
    const [names = '', ...rows] = csv.trimEnd().split(/\r?\n/);
    expect([rows.length, names.split(',').includes('amount_nano_usd')]).toEqual([CASES.length, true]);
    expect(rows.filter((row) => /,usage_(missing|zero),/.test(row))).toHaveLength(unpriced);
  });
});
