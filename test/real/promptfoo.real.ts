/** promptfoo as its users have it. It is large, so it is installed for the test alone, and only where that is asked for. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { ADMIN_KEY, type Pools, startPools, startWeir, type Weir } from '../e2e/weir.ts';

const VERSION = '0.123.1';
/** Of its optional packages only the database's library is needed here; it depends on the machine. */
const LIBSQL = '0.5.29';
const INSTALL_MS = 600_000;
const run = promisify(execFile);

interface Report {
  results: { results: { success: boolean; response?: { output?: string } }[] };
}

describe.skipIf(process.env.WEIR_TEST_PROMPTFOO !== '1')('promptfoo', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string | null = null;

  afterEach(async () => {
    await weir?.stop();
    await pools?.stop();
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  });

  async function install(at: string): Promise<void> {
    await writeFile(join(at, 'package.json'), '{"private":true}');
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
    const own = `@libsql/${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}@${LIBSQL}`;
    const packages = [`promptfoo@${VERSION}`, own];
    await run('npm', ['install', '--omit=optional', ...quiet, ...packages], { cwd: at, timeout: INSTALL_MS });
  }

  it(
    'evaluates prompts over a provider whose base URL is this server, calls at once and from batches',
    async () => {
      pools = await startPools([{ models: ['m'] }]);
      const price = { input: 1, output: 2 };
      const provider = { kind: 'vllm', base_urls: [pools.servers[0]?.baseUrl], models: ['m'], price };
      const settings = { autobatch_wait_ms: 100, autobatch_window_seconds: 1 };
      weir = await startWeir({ providers: { p: provider }, settings });
      folder = await mkdtemp(join(tmpdir(), 'weir-promptfoo-'));
      await install(folder);
      const config = {
        prompts: ['What is {{number}} + {{number}}?', 'Add {{number}} to itself.'],
        providers: ['/v1', '/batching/v1'].map((base) => ({
          id: 'openai:chat:p/m',
          label: base,
          config: { apiBaseUrl: weir.url + base, apiKey: ADMIN_KEY, max_tokens: 500 },
        })),
        tests: [2, 3, 4].map((number) => ({
          vars: { number },
          assert: [{ type: 'javascript', value: 'output.length > 0' }],
        })),
      };
      await writeFile(join(folder, 'promptfooconfig.json'), JSON.stringify(config));
      const program = join(folder, 'node_modules/promptfoo/package.json');
      const { bin } = JSON.parse(await readFile(program, 'utf8')) as { bin: { promptfoo: string } };
      const main = join(folder, 'node_modules/promptfoo', bin.promptfoo);
      const asked = ['eval', '-c', 'promptfooconfig.json', '-o', 'report.json', '--no-cache', '--no-progress-bar'];
      const env = {
        ...process.env,
        PROMPTFOO_CONFIG_DIR: join(folder, 'home'),
        PROMPTFOO_DISABLE_TELEMETRY: '1',
        PROMPTFOO_DISABLE_UPDATE: '1',
      };
      await run(process.execPath, [main, ...asked], { cwd: folder, env, timeout: 120_000 });
      const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Report;
      expect(report.results.results.map(({ success }) => success)).toEqual(Array.from({ length: 12 }, () => true));
      expect(pools.servers[0]?.counters.received).toBe(12);
      const { data } = await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?limit=100');
      expect(data.filter(({ batch_id: batch }) => batch !== null)).toHaveLength(6);
      expect(data.filter(({ mode, amount_nano_usd: amount }) => mode === 'sync' && amount !== null)).toHaveLength(6);
    },
    INSTALL_MS + 180_000,
  );
});
