/**
 * Requests in groups that share a long prompt, over a pool of servers with a prefix cache too small for all groups: with
 * requests that begin alike kept together, and spread as all others are. The servers are simulated: reading a prompt
 * takes its time, what the cache holds is free.
 *
 *   node test/bench/prefix.ts
 */
import { chatLines, startWeir, submit, waitForBatch } from '../e2e/weir.ts';
import { startSimulator } from './simulator.ts';
import { printTable } from './table.ts';

const MEMBERS = 4;
const GROUPS = 96;
const LINES = 2_400;
const PROMPT_CHARACTERS = 4_096;
/** A server keeps two fifths of all groups. */
const BLOCKS = Math.floor(((GROUPS * 2) / 5) * (PROMPT_CHARACTERS / 256));

const input = chatLines(LINES, (index) => {
  // A step that is coprime to the groups: neighbours are of different groups, as in a shuffled file.
  const group = (index * 37) % GROUPS;
  const shared = `Document ${group}. `.repeat(Math.ceil(PROMPT_CHARACTERS / 12)).slice(0, PROMPT_CHARACTERS);
  return {
    model: 'pool/sim-small',
    messages: [
      { role: 'system', content: shared },
      { role: 'user', content: `Question ${index}` },
    ],
  };
});

interface Listed {
  data: { members: { answered: number; load: { prefix_hit_rate: number | null } | null }[] }[];
}

async function run(affinity: boolean): Promise<string[]> {
  const servers = await Promise.all(
    Array.from({ length: MEMBERS }, () =>
      startSimulator({ latency_ms: 40, slots: 8, prefix_cache: BLOCKS, prefill_ms_per_token: 0.15 }),
    ),
  );
  const weir = await startWeir({
    providers: {
      pool: {
        kind: 'vllm',
        base_urls: servers.map(({ baseUrl }) => baseUrl),
        models: ['sim-small'],
        prefix_affinity: affinity,
        limits: { concurrency: MEMBERS * 8, adaptive: false },
        price: { input: 0.1, output: 0.4 },
      },
    },
  });
  try {
    const started = performance.now();
    const batch = await waitForBatch(weir, (await submit(weir, input)).id, { seconds: 80 });
    const seconds = (performance.now() - started) / 1000;
    if (batch.request_counts?.completed !== LINES) throw new Error(`only ${JSON.stringify(batch.request_counts)}`);
    const texts = await Promise.all(
      servers.map(async ({ baseUrl }) => (await fetch(baseUrl.replace(/v1$/, 'metrics'))).text()),
    );
    const sum = (name: string) =>
      texts
        .flatMap((text) => [...text.matchAll(new RegExp(`^vllm:prefix_cache_${name}_total\\S* (\\S+)`, 'gm'))])
        .reduce((total, [, value]) => total + Number(value), 0);
    const listed = await weir.call<Listed>('/v1/providers');
    const answered = listed.data[0]?.members.map((member) => member.answered) ?? [];
    return [
      affinity ? 'together' : 'spread',
      (LINES / seconds).toFixed(0),
      (sum('hits') / sum('queries')).toFixed(2),
      `${Math.min(...answered)}–${Math.max(...answered)}`,
    ];
  } finally {
    await weir.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

printTable(
  ['requests that begin alike', 'req/s', 'prompt tokens cached', 'requests per server'],
  [await run(false), await run(true)],
);
