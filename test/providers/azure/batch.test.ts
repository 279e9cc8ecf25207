import { describe, expect, it, onTestFinished } from 'vitest';
import type { BatchServerOptions } from '../../../providers/sandbox/servers/openai-batch.ts';
import { describeBatchApi } from '../../contract/provider-batch.ts';
import { Bench, failureOf } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { startBatchSubject } from '../openai/batch-subject.ts';

const secret = 'azurecanary0123456789';
const deployments = { 'gpt-4o-mini': 'my-mini' };
const batchDeployments = { 'gpt-4o-mini': 'my-mini-batch' };

function start(entry: object = {}, server: BatchServerOptions = {}) {
  return startBatchSubject({
    server: {
      flavour: 'azure',
      models: ['my-mini-batch'],
      max_lines: 100_000,
      file_ms: 20,
      empty_ids: true,
      ...server,
    },
    secret,
    model: 'gpt-4o-mini',
    create: ({ url }) =>
      createProvider('azure', {
        endpoint: url,
        api_key: secret,
        deployments,
        batch_deployments: batchDeployments,
        ...entry,
      }),
    // Azure runs on after its 24 hours.
    without: ['expire'],
  });
}

describeBatchApi('azure', () => start());

describeBatchApi('azure with a dated API version, in its older style', () =>
  start({ api_version: '2024-10-21' }, { old_style: true }),
);

describe('Azure batches', () => {
  async function open(entry?: object, server?: BatchServerOptions): Promise<Bench> {
    const bench = new Bench(await start(entry, server));
    onTestFinished(() => bench.close());
    return bench;
  }

  it('go to the deployment for batches, under the name of the line', async () => {
    const bench = await open();
    const request = {
      endpoint: '/v1/chat/completions',
      model: 'my-mini',
      body: '{"model":"my-mini","messages":[]}',
    } as const;
    expect(bench.api.line('k', request)).toBe(
      '{"custom_id":"k","method":"POST","url":"/v1/chat/completions","body":{"model":"my-mini-batch","messages":[]}}',
    );
    const dated = await open({ api_version: '2024-10-21' });
    expect(dated.api.line('k', request)).toContain('"url":"/chat/completions"');
    const other = { ...request, model: 'other', body: '{"model":"other"}' };
    expect(bench.api.line('k', other)).toContain('"body":{"model":"other"}');
    expect(bench.subject.provider.pricedModel?.('my-mini-batch')).toBe('gpt-4o-mini');
  });

  it('are there only with deployments for them, or when the config says that the usual ones will do', () => {
    const entry = { endpoint: 'https://x.openai.azure.com', api_key: secret, deployments };
    expect(createProvider('azure', entry).batch).toBeUndefined();
    expect(createProvider('azure', { ...entry, batch: true }).batch).toBeDefined();
    expect(createProvider('azure', { ...entry, batch_deployments: batchDeployments }).batch).toBeDefined();
    expect(
      createProvider('azure', { ...entry, batch_deployments: batchDeployments, batch: false }).batch,
    ).toBeUndefined();
    expect(createProvider('azure', { ...entry, batch: { enqueued_tokens: 9, jobs: 2 } }).batch?.limits).toMatchObject({
      lines: 100_000,
      bytes: 200_000_000,
      jobs: 2,
      enqueuedTokens: 9,
    });
    expect(() => createProvider('azure', { ...entry, batch_deployments: { other: 'x' } })).toThrow(
      'no model of deployments',
    );
  });

  it('wait until the file is processed', async () => {
    const bench = await open({}, { file_ms: 300 });
    const started = performance.now();
    await bench.submit();
    expect(performance.now() - started).toBeGreaterThan(290);
  });

  it('say that the file was not read in time, and leave its id to be removed', async () => {
    const bench = await open({}, { file_ms: 60_000 });
    const call = { ...bench.call(), timeoutMs: 300 };
    expect(await failureOf(bench.api.submit(bench.input(), call))).toMatchObject({
      kind: 'timeout',
      code: 'file_not_ready',
    });
    expect(bench.simulator.held()).toMatchObject({ created: 0, files: 1 });
    await bench.api.cleanup(bench.refs, bench.call());
    expect(bench.simulator.held().files).toBe(0);
  });

  it('let their files expire, so that 500 of them are not the end', async () => {
    const bench = await open({}, { max_files: 1 });
    for (let number = 0; number < 3; number += 1) await bench.submit(`weir-shard-${number}`);
    expect(bench.simulator.held().created).toBe(3);
    const full = await open({}, { max_files: 0 });
    expect((await failureOf(full.submit())).kind).toBe('quota_full');
    expect(full.simulator.held()).toMatchObject({ created: 0, files: 0 });
  });

  it('are read when the error file is there and empty', async () => {
    const bench = await open();
    const { progress, batch } = await bench.over(await bench.submit());
    expect(progress.refs.error_file_id).toMatch(/^file-/);
    expect(await bench.collect(batch)).toHaveLength(bench.size);
    expect(await bench.api.cleanup(batch.refs, bench.call())).toHaveLength(3);
  });

  it('do not expire, however late it is', async () => {
    const bench = await open();
    await bench.simulator.hold();
    const batch = await bench.submit();
    bench.nowMs += 5 * 86_400_000;
    expect((await bench.api.poll(batch, bench.call())).state).toBe('running');
  });

  it('keep the price and the words of Azure in their results', async () => {
    const bench = await open({}, { models: ['someone-elses'] });
    const { progress } = await bench.over(await bench.submit());
    expect(progress).toMatchObject({ state: 'failed', failure: { kind: 'invalid_request', code: 'model_not_found' } });
    expect(progress.lines).toHaveLength(bench.size);
    expect(progress.lines[0]).toMatchObject({ line: 1, failure: { kind: 'not_found', param: 'body.model' } });
  });
});
