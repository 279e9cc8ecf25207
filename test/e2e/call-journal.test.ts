import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { ADMIN_KEY, spawnWeir, startPools, temporaryFolder } from './weir.ts';

it('a killed server loses no entry of a call that was answered, and makes none twice', async () => {
  const pools = await startPools([{ models: ['m'] }]);
  const folder = await temporaryFolder();
  const config = join(folder, 'weir.yaml');
  const provider = {
    kind: 'vllm',
    base_urls: [pools.servers[0]?.baseUrl],
    models: ['m'],
    price: { input: 1, output: 2 },
  };
  await writeFile(config, JSON.stringify({ providers: { p: provider } }));
  let server = await spawnWeir(config, folder);
  const answered: string[] = [];
  const call = async (index: number): Promise<void> => {
    const answer = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ADMIN_KEY}`,
        'content-type': 'application/json',
        'x-request-id': `call-${index}`,
      },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: `Question ${index}` }] }),
    }).catch(() => null);
    if (answer?.status === 200) answered.push(`call-${index}`);
  };
  const entries = async (): Promise<LedgerEntryObject[]> =>
    (await server.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=1000&order=asc')).data;
  try {
    for (let round = 0; round < 2; round++) {
      // Killed right behind an answer, again and again: some entries are in the database by then, some are not.
      for (let index = 0; index < 30; index++) await call(round * 100 + index);
      await server.kill();
      server = await spawnWeir(config, folder);
    }
    expect(answered).toHaveLength(60);
    const list = await entries();
    expect(list.map(({ custom_id: id }) => id)).toEqual(answered);
    expect(list.every(({ amount_nano_usd: amount }) => amount !== null && amount > 0)).toBe(true);
    await server.terminate();
    server = await spawnWeir(config, folder);
    expect(await entries()).toHaveLength(60);
  } finally {
    await server.kill();
    await pools.stop();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
