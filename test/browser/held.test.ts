import { afterAll, beforeAll, it } from 'vitest';
import { startOpenAICompatibleServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import {
  ADMIN_KEY,
  chatLines,
  type Pools,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from '../e2e/weir.ts';
import { describeInBrowser, drawn, expectAccessibleInThemes, launch, openPage, signIn } from './browser.ts';

describeInBrowser('a target that takes no lines', () => {
  let pools: Pools;
  let weir: Weir;

  beforeAll(async () => {
    pools = await startPools([{ models: ['m'] }]);
    const [server] = pools.servers;
    const provider = { kind: 'openai-compatible', base_url: server?.baseUrl, api_key: 'a-key', models: ['m'] };
    weir = await startWeir({ providers: { pool: provider } });
    server?.configure({ fail_after: 0, fail_with: 401 });
  });

  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  it('is named on the page of a batch that waits for it, and among the providers, where it refuses the account', async () => {
    const { id } = await submit(
      weir,
      chatLines(30, () => ({ model: 'pool/m' })),
    );
    const browser = await launch();
    try {
      const { page } = await openPage(browser);
      await signIn(page, weir.url, ADMIN_KEY);
      const why = 'refuses the account, and batch lines wait until that is mended: Incorrect API key provided.';
      await page.goto(`${weir.url}/dashboard/batches/${id}`);
      await page.getByText(`pool/m ${why}`).waitFor();
      await expectAccessibleInThemes(page, 'a batch that waits');
      await page.goto(`${weir.url}/dashboard/providers`);
      await page.getByText(`m ${why}`).waitFor();
      pools.servers[0]?.configure({ fail_after: null });
      await page.goto(`${weir.url}/dashboard/batches/${id}`);
      await waitForBatch(weir, id);
      await page.getByText(why).waitFor({ state: 'detached' });
    } finally {
      await browser.close();
    }
  }, 60_000);

  it('is named on the page of a batch that waits for it where nobody answers', async () => {
    const [server] = pools.servers;
    if (server === undefined) throw new Error('a server was asked for');
    await server.stop();
    const { id } = await submit(
      weir,
      chatLines(30, () => ({ model: 'pool/m' })),
    );
    const browser = await launch();
    try {
      const { page } = await openPage(browser);
      await signIn(page, weir.url, ADMIN_KEY);
      await page.goto(`${weir.url}/dashboard/batches/${id}`);
      const why = 'pool/m serves nothing now, and batch lines wait until it does: its requests fail (';
      await page.getByText(why).waitFor();
      await drawn(page, 'batch-unreachable');
      await expectAccessibleInThemes(page, 'a batch that waits for a server');
      pools.servers[0] = await startOpenAICompatibleServer({ models: ['m'], port: Number(new URL(server.url).port) });
      await waitForBatch(weir, id);
      await page.getByText(why).waitFor({ state: 'detached' });
    } finally {
      await browser.close();
    }
  }, 60_000);
});
