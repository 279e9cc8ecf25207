import { afterEach, describe, expect, it } from 'vitest';
import { type SimulatedBedrock, startBedrockServer } from '../../providers/sandbox/servers/bedrock.ts';
import { bedrockEntry } from './bedrock-entry.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, type Pools, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const model = 'us.amazon.nova-lite-v1:0';
const caller = { access_key_id: 'AKIALIMITS', secret_access_key: 'limits/secret', session_token: 'limits-token' };
const tools = [{ type: 'function', function: { name: 'find', parameters: { type: 'object' } } }];

describe('a batch service with a least number of lines', () => {
  let server: SimulatedBedrock | undefined;
  let pools: Pools | undefined;
  let weir: Weir | undefined;
  afterEach(async () => {
    await weir?.stop();
    await server?.stop();
    await pools?.stop();
    pools = undefined;
  });

  /** Runs `input` by `target` of the service, then by `more`; its jobs hold 100 to 200 records. */
  async function run(input: string, target: object = {}, more: object[] = []) {
    server = await startBedrockServer({ caller, job_ms: 50 });
    const bedrock = bedrockEntry(server, caller, model, { batch_limits: { lines: 200 } });
    const pool = pools && {
      pool: {
        kind: 'vllm',
        base_urls: pools.servers.map(({ baseUrl }) => baseUrl),
        models: ['small'],
        price: { input: '1', output: '1' },
      },
    };
    weir = await startWeir({ providers: { bedrock, ...pool }, settings: { poll_seconds_min: 1 } });
    const config = { strategy: { mode: 'fallback' }, targets: [{ provider: 'bedrock', model, ...target }, ...more] };
    const { id } = await submit(weir, input, { window: '24h', config });
    const ended = await waitForBatch(weir, id, { seconds: 40 });
    const books = await assertInvariants(weir, id, input);
    const records = server.jobs().map(({ lines }) => lines.length);
    const modes = books.entries.map(({ mode, provider }) => `${provider} ${mode}`);
    const count = (words: string) => modes.filter((each) => each === words).length;
    return { ended, records, count, ...books };
  }

  it('gets the lines that make full jobs; the rest goes to its ordinary API, never padded', async () => {
    const { ended, records, count } = await run(chatLines(250));
    expect(ended.request_counts).toEqual({ total: 250, completed: 250, failed: 0 });
    expect(records).toEqual([200]);
    expect([count('bedrock batch'), count('bedrock immediate')]).toEqual([200, 50]);
  }, 60_000);

  it('leaves the rest to the next target where the route wants nothing but jobs of it', async () => {
    pools = await startPools([{ models: ['small'] }]);
    const next = [{ provider: 'pool', model: 'small' }];
    const { ended, records, count } = await run(chatLines(250), { mode: 'batch' }, next);
    expect(ended.request_counts).toEqual({ total: 250, completed: 250, failed: 0 });
    expect(records).toEqual([200]);
    expect([count('bedrock batch'), count('pool immediate')]).toEqual([200, 50]);
  }, 60_000);

  it('gets no job for fewer lines than that, when others of them are not for jobs', async () => {
    const { ended, records, count } = await run(chatLines(105, (index) => (index < 10 ? { tools } : {})));
    expect(ended.request_counts).toEqual({ total: 105, completed: 105, failed: 0 });
    expect(records).toEqual([]);
    expect(count('bedrock immediate')).toBe(105);
  }, 60_000);

  it('fails the rest where the route has nothing but jobs of it, and runs the full job', async () => {
    const { ended, records, lines: output } = await run(chatLines(250), { mode: 'batch' });
    expect(ended.request_counts).toEqual({ total: 250, completed: 200, failed: 50 });
    expect(records).toEqual([200]);
    expect(output.slice(200).every(({ error }) => error?.code === 'too_few_for_batch')).toBe(true);
  }, 60_000);

  it('fails lines that are too few and have nowhere else to go, and says what to do', async () => {
    const lines = chatLines(120, (index) => (index < 30 ? { tools } : {}));
    const { ended, records, lines: output } = await run(lines, { mode: 'batch' });
    expect(ended.request_counts).toEqual({ total: 120, completed: 0, failed: 120 });
    expect(records).toEqual([]);
    const codes = output.map(({ error }) => error?.code);
    expect([...new Set(codes)].toSorted()).toEqual(['too_few_for_batch', 'unsupported_in_batch']);
    expect(output.at(-1)?.error?.message).toContain('100 or more');
  }, 60_000);
});
