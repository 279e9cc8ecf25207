import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  ADMIN_KEY,
  chatLines,
  type Pools,
  spawnWeir,
  splitConfig,
  startPools,
  submit,
  temporaryFolder,
  type WeirProcess,
  waitForBatch,
} from './weir.ts';

const LINES = 40;
const PRELOAD = new URL('../chaos/preload.ts', import.meta.url).href;

describe('a disk that cannot read for a while', () => {
  let pools: Pools;
  let weir: WeirProcess;
  let folder: string;

  afterEach(async () => {
    await weir?.kill();
    await pools?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = (path: string, method = 'GET') =>
    fetch(weir.url + path, { method, headers: { authorization: `Bearer ${ADMIN_KEY}` } });

  /** The whole answer, as a client sees it; null when it broke off. */
  async function told(path: string, method?: string): Promise<{ status: number; text: string } | null> {
    const response = await ask(path, method);
    const text = await response.text().catch(() => null);
    return text === null ? null : { status: response.status, text };
  }

  it('makes no result a lost one: what looks at a batch is told to come back, and a retry buys nothing again', async () => {
    const poison = [{ contains: 'Question 3:', fail_with: 400 }];
    pools = await startPools([{ models: ['gpt-4o-mini'], poison }]);
    folder = await temporaryFolder();
    const server = pools.servers[0] as Pools['servers'][number];
    await writeFile(join(folder, 'weir.json'), JSON.stringify(splitConfig([server.baseUrl], [1])));
    weir = await spawnWeir(join(folder, 'weir.json'), join(folder, 'data'), { preload: PRELOAD });
    const input = chatLines(LINES);
    const { id } = await submit(weir, input, { config: 'split' });
    await waitForBatch(weir, id);
    const before = await told(`/v1/batches/${id}/output`);
    expect(before?.text.trimEnd().split('\n')).toHaveLength(LINES);

    weir.child.send({ readsFail: true });
    const paths = [`/v1/batches/${id}/output`, `/v1/batches/${id}/requests?limit=10`];
    for (const path of paths) {
      for (let answer = await told(path); answer?.status === 200; answer = await told(path)) {
        expect(answer.text, path).not.toContain('result_lost');
        await pause(20);
      }
      const answer = await told(path);
      if (answer !== null)
        expect(answer).toMatchObject({ status: 503, text: expect.stringContaining('storage_unreadable') });
    }
    expect((await told(`/v1/batches/${id}/retry`, 'POST'))?.status).toBe(503);

    weir.child.send({ readsFail: false });
    let after = await told(paths[0] ?? '');
    for (; after?.status !== 200; after = await told(paths[0] ?? '')) await pause(20);
    expect(after).toEqual(before);
    const retried = await told(`/v1/batches/${id}/retry`, 'POST');
    const again = await waitForBatch(weir, (JSON.parse(retried?.text ?? '') as { id: string }).id);
    expect(again.request_counts?.total).toBe(1);
    await assertInvariants(weir, id, input);
  });
});
