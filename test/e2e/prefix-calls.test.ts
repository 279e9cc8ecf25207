import { expect, it } from 'vitest';
import { startPools, startWeir } from './weir.ts';

const TALKS = 8;
const TURNS = 6;

it('sends the turns of a conversation to the server whose cache has those before', async () => {
  const member = { models: ['m'], latency_ms: 30, prefix_cache: 1_000, log_size: TALKS * TURNS };
  const pools = await startPools([member, member, member]);
  const weir = await startWeir({
    providers: {
      pool: {
        kind: 'vllm',
        base_urls: pools.servers.map(({ baseUrl }) => baseUrl),
        models: ['m'],
        price: { input: 1, output: 1 },
      },
    },
  });
  try {
    const talk = async (index: number) => {
      const messages = [{ role: 'system', content: `You are assistant number ${index}. `.repeat(40) }];
      for (let turn = 0; turn < TURNS; turn++) {
        messages.push({ role: 'user', content: `Question ${turn} of talk ${index}. `.repeat(10) });
        const body = JSON.stringify({ model: 'pool/m', max_tokens: 16, messages });
        const answer = await weir.call<{ choices: { message: { role: string; content: string } }[] }>(
          '/v1/chat/completions',
          { method: 'POST', body },
        );
        messages.push(answer.choices[0]!.message);
      }
    };
    await Promise.all(Array.from({ length: TALKS }, (_, index) => talk(index)));
    const servers = pools.servers.map(({ requests }) => requests.map(({ body }) => body));
    const together = Array.from({ length: TALKS }, (_, index) =>
      Math.max(...servers.map((bodies) => bodies.filter((body) => body.includes(`number ${index}.`)).length)),
    ).reduce((sum, most) => sum + most, 0);
    expect(together).toBeGreaterThan(0.8 * TALKS * TURNS);
    for (const { counters } of pools.servers) expect(counters.received).toBeGreaterThan(0);
    const cached = pools.servers.reduce((sum, { counters }) => sum + counters.cached_tokens, 0);
    const read = pools.servers.reduce((sum, { counters }) => sum + counters.tokens_in, 0);
    expect(cached / read).toBeGreaterThan(0.55);
  } finally {
    await weir.stop();
    await pools.stop();
  }
});
