import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedAnthropic, startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import { type SimulatedBedrock, startBedrockServer } from '../../providers/sandbox/servers/bedrock.ts';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import { startVertexServer } from '../../providers/sandbox/servers/vertex.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { runCli } from './cli-terminal.ts';

const caller = { access_key_id: 'AKIADOCTOR', secret_access_key: 'doctor/secret' };
const model = 'mistral.mistral-large-3-675b-instruct';
const key = 'sk-doctor-secret';

interface Finding {
  name: string;
  status: string;
  detail: string;
  remedies: string[];
}

describe('weir doctor, of batch services', () => {
  let folder: string;
  let openai: SimulatedBatchServer;
  let bedrock: SimulatedBedrock;
  let anthropic: SimulatedAnthropic;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-doctor-'));
    openai = await startOpenAIBatchServer({ api_key: key });
    bedrock = await startBedrockServer({ caller });
    anthropic = await startAnthropicServer({ api_key: key });
  });

  afterEach(async () => {
    await Promise.all([openai.stop(), bedrock.stop(), anthropic.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const atOpenai = (more: object = {}) => ({ kind: 'openai', base_url: openai.baseUrl, api_key: key, ...more });
  const atBedrock = (more: object = {}) => ({
    kind: 'bedrock',
    region: 'us-east-1',
    ...caller,
    role_arn: 'arn:aws:iam::123456789012:role/weir-batch',
    bucket: bedrock.s3.settings.bucket,
    models: [model],
    base_url: bedrock.url,
    runtime_endpoint: bedrock.url,
    s3_endpoint: bedrock.s3.url,
    ...more,
  });

  async function ask(providers: object, ...options: string[]) {
    const path = join(folder, 'weir.yaml');
    await writeFile(path, JSON.stringify({ providers }));
    // Nothing listens there: the doctor needs no server.
    const environment = { WEIR_CONFIG: path, WEIR_DATA_DIR: join(folder, 'data'), WEIR_URL: 'http://127.0.0.1:1' };
    return runCli(['doctor', ...options], { environment });
  }

  /** Status, detail and first remedy of the checks of this name. */
  async function examine(providers: object, name: string): Promise<Finding[]> {
    const ran = await ask(providers, '--json');
    expect(ran.out).not.toContain(key);
    expect(ran.out).not.toContain(caller.secret_access_key);
    return (JSON.parse(ran.out).data as Finding[]).filter((check) => check.name === name);
  }

  it('proves listing, writing, reading and deleting, and leaves nothing behind', async () => {
    const at = { kind: 'anthropic', base_url: anthropic.url, api_key: key, models: ['claude-haiku-4-5'] };
    const ran = await ask({ o: atOpenai(), b: atBedrock(), a: at });
    expect(ran.out).toMatch(/✓ o batch +lists batches and files: 0 batches of Weir, 0 of them running, 0/);
    expect(ran.out).toMatch(/✓ o batch +uploads a file for batches\n✓ o batch +deletes it\n/);
    expect(ran.out).toMatch(/✓ b batch +writes to the bucket\n✓ b batch +reads it back\n✓ b batch +deletes it\n/);
    expect(ran.out).toMatch(/✓ a batch +lists batches/);
    expect(ran.exitCode).toBe(0);
    for (const line of ran.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
    expect(openai.held()).toEqual({ live: 0, files: 0 });
    expect(openai.counters.batches_created).toBe(0);
    expect(bedrock.s3.store.objects.size).toBe(0);
    expect(bedrock.jobs()).toEqual([]);
    expect(anthropic.held()).toMatchObject({ created: 0, live: 0 });
  });

  it('names the remedy once when the key is unknown', async () => {
    const found = await examine({ o: atOpenai({ api_key: 'sk-wrong' }) }, 'o batch');
    expect(found).toMatchObject([{ status: 'failed' }]);
    expect(found[0]?.remedies[0]).toContain('Check its credentials in the config');
    expect(found[0]?.remedies[0]).toContain('providers/openai/README.md');
  });

  it('names the remedy when nobody answers', async () => {
    const [found] = await examine({ o: atOpenai({ base_url: 'http://127.0.0.1:1/v1' }) }, 'o batch');
    expect(found).toMatchObject({ status: 'failed' });
    expect(found?.remedies[0]).toContain('Check its address in the config');
  });

  it('tells which right on files is missing', async () => {
    openai.configure({ faults: [{ on: 'upload', fault: 403, times: null }] });
    const unwritable = await examine({ o: atOpenai() }, 'o batch');
    expect(unwritable.map(({ status }) => status)).toEqual(['ok', 'failed']);
    expect(unwritable[1]?.remedies[0]).toContain('the right to write files');
    openai.configure({ faults: [{ on: 'delete', fault: 403, times: null }] });
    const undeletable = await examine({ o: atOpenai() }, 'o batch');
    expect(undeletable.map(({ status }) => status)).toEqual(['ok', 'ok', 'failed']);
    expect(undeletable[2]?.remedies[0]).toMatch(/the right to delete files, and delete file-/);
  });

  it.each([
    ['ListObjectsV2', ['failed'], 'providers/bedrock/README.md'],
    ['PutObject', ['ok', 'failed'], 'Allow s3:PutObject'],
    ['GetObject', ['ok', 'ok', 'failed', 'ok'], 'Allow s3:GetObject'],
    ['DeleteObject', ['ok', 'ok', 'ok', 'failed'], 'Allow s3:DeleteObject'],
  ])('tells that %s is denied', async (operation, statuses, remedy) => {
    bedrock.s3.configure({ fail: { operation, status: 403, code: 'AccessDenied', times: null } });
    const found = await examine({ b: atBedrock() }, 'b batch');
    expect(found.map(({ status }) => status)).toEqual(statuses);
    expect(found.flatMap(({ remedies }) => remedies)).toEqual([expect.stringContaining(remedy)]);
  });

  it.each([
    ['azure', 'azure', (url: string) => ({ endpoint: url, deployments: { m: 'm' }, batch_deployments: { m: 'm' } })],
    ['together', 'openai-compatible', (url: string) => ({ base_url: url, preset: 'together' })],
    ['mistral', 'openai-compatible', (url: string) => ({ base_url: url, preset: 'mistral' })],
  ] as const)('proves the rights on files at %s', async (flavour, kind, settings) => {
    const service = await startOpenAIBatchServer({ flavour, api_key: key });
    try {
      const url = flavour === 'azure' ? service.url : service.baseUrl;
      const found = await examine({ s: { kind, api_key: key, ...settings(url) } }, 's batch');
      expect(found.map(({ status, detail }) => [status, detail]).slice(1)).toEqual([
        ['ok', 'uploads a file for batches'],
        ['ok', 'deletes it'],
      ]);
      expect(service.held().files).toBe(0);
    } finally {
      await service.stop();
    }
  });

  it.each([
    [null, ['ok', 'ok', 'ok', 'ok'], ''],
    ['POST /upload/', ['ok', 'failed'], 'Grant storage.objects.create'],
    ['GET .*alt=media', ['ok', 'ok', 'failed', 'ok'], 'Grant storage.objects.get'],
    ['DELETE ', ['ok', 'ok', 'ok', 'failed'], 'Grant storage.objects.delete'],
  ])('at Cloud Storage, with %s denied', async (on, statuses, remedy) => {
    const service = await startVertexServer(on === null ? {} : { faults: [{ on, fault: 403, times: 100 }] });
    try {
      const { url, tokenUrl: token_url, credentials } = service;
      const place = { project: 'sim-project', bucket: 'sim-bucket', base_url: url, storage_endpoint: url, token_url };
      const found = await examine(
        { v: { kind: 'vertex', ...place, credentials, models: ['gemini-2.5-flash'] } },
        'v batch',
      );
      expect(found.map(({ status }) => status)).toEqual(statuses);
      const remedies = found.flatMap((check) => check.remedies);
      expect(remedies).toEqual(remedy === '' ? [] : [expect.stringContaining(remedy)]);
      expect(service.store.list('sim-bucket', '')).toHaveLength(on === 'DELETE ' ? 1 : 0);
    } finally {
      await service.stop();
    }
  });

  it('says that the bucket does not exist', async () => {
    const [found] = await examine({ b: atBedrock({ bucket: 'no-such-bucket' }) }, 'b batch');
    expect(found).toMatchObject({ status: 'failed' });
    expect(found?.remedies[0]).toContain('project and bucket in the config');
  });
});
