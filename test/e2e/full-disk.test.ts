import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { assertInvariants } from './invariants.ts';
import { ADMIN_KEY, chatLines, spawnWeir, startPools, submit, temporaryFolder, waitForBatch } from './weir.ts';

const DISK_MEGABYTES = 64;
const LINES = 150;

/** A view of the file systems of its own, where its programs may mount what nobody else sees. */
const ownMounts = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])] as const;
const canMount =
  process.platform === 'linux' &&
  spawnSync(ownMounts[0], [...ownMounts.slice(1), 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/** As a program that a process is started by: its data lies on a disk of its own. */
const onOwnDisk = (data: string): [string, ...string[]] => [
  ...ownMounts,
  'sh',
  '-c',
  `mount -t tmpfs -o size=${DISK_MEGABYTES}m tmpfs "$0" && exec "$@"`,
  data,
];

describe('a full disk', () => {
  it.runIf(canMount)(
    'is told; a call that is under way is answered and paid once; all goes on by itself when there is room',
    async () => {
      const pools = await startPools([
        { models: ['m'], latency_ms: 100 },
        { models: ['slow'], latency_ms: 3_000 },
      ]);
      const [fast, slow] = pools.servers;
      const folder = await temporaryFolder();
      const data = join(folder, 'data');
      await mkdir(data);
      const provider = (url: string | undefined, models: string[]) => ({
        kind: 'vllm',
        base_urls: [url],
        models,
        price: { input: 1, output: 2 },
        limits: { concurrency: 4 },
      });
      const config = join(folder, 'weir.json');
      await writeFile(
        config,
        JSON.stringify({
          providers: { fast: provider(fast?.baseUrl, ['m']), slow: provider(slow?.baseUrl, ['slow']) },
          settings: { part_lines: 5, part_delay_ms: 20 },
        }),
      );
      const weir = await spawnWeir(config, data, { by: onOwnDisk(data) });
      const ballast = `/proc/${weir.child.pid}/root${data}/ballast`;
      let log = '';
      for (const stream of [weir.child.stdout, weir.child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          log += chunk.toString();
        });
      }
      const authorization = `Bearer ${ADMIN_KEY}`;
      const call = () =>
        fetch(`${weir.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json', 'x-request-id': 'the-call' },
          body: JSON.stringify({ model: 'slow', messages: [{ role: 'user', content: 'Hello' }] }),
        });
      const ready = async () => {
        const answer = await fetch(`${weir.url}/readyz`);
        const { reasons } = (await answer.json()) as { reasons: string[] };
        return { status: answer.status, reasons };
      };
      try {
        expect((await ready()).status).toBe(200);
        const input = chatLines(LINES, () => ({ model: 'm' }));
        const { id } = await submit(weir, input);
        const answered = call();
        await expect.poll(() => slow?.counters.received, { timeout: 10_000 }).toBe(1);
        await writeFile(ballast, Buffer.alloc(DISK_MEGABYTES * 1024 ** 2)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOSPC') throw error;
        });

        expect((await answered).status).toBe(200);
        // The journal has room for it in reserve.
        expect(log).not.toContain('answered before their entries are safe');
        await expect.poll(async () => (await ready()).reasons.join(), { timeout: 10_000 }).toContain('is full');
        expect((await ready()).status).toBe(503);
        const form = new FormData();
        form.set('purpose', 'batch');
        form.set('file', new File([chatLines(500)], 'more.jsonl'));
        const upload = await fetch(`${weir.url}/v1/files`, { method: 'POST', headers: { authorization }, body: form });
        expect(upload.status).toBe(503);
        expect(upload.headers.get('retry-after')).toBe('30');
        expect(await upload.json()).toMatchObject({ error: { code: 'storage_full' } });
        const stuck = await weir.client.batches.retrieve(id);
        expect(stuck).toMatchObject({ status: 'in_progress' });
        expect(stuck.request_counts?.completed).toBeLessThan(LINES);

        await rm(ballast);
        await waitForBatch(weir, id, { seconds: 30 });
        await assertInvariants(weir, id, input);
        expect(fast?.counters.received).toBe(LINES);
        await expect.poll(async () => (await ready()).status, { timeout: 10_000 }).toBe(200);
        const entries = async () => {
          const page = await weir.call<{ data: LedgerEntryObject[] }>('/v1/ledger/entries?provider=slow');
          return page.data.map(({ custom_id: name, status }) => ({ name, status }));
        };
        await expect.poll(entries, { timeout: 10_000 }).toEqual([{ name: 'the-call', status: 'succeeded' }]);
      } finally {
        await weir.kill();
        await pools.stop();
        await rm(folder, { recursive: true, force: true });
      }
    },
    90_000,
  );
});
