import { afterEach, describe, expect, it } from 'vitest';
import type { BatchApi, NativeRequest, ProviderBatch } from '../../../providers/contract.ts';
import type { LiveBedrockOptions } from '../../../providers/sandbox/servers/bedrock.ts';
import { type Bench, failureOf } from '../../contract/provider-batch-setup.ts';
import { Benches, nova } from './benches.ts';

/** What the contract suite cannot know: how jobs of Bedrock end and what their outputs hold. */
describe('jobs of Bedrock', () => {
  const benches = new Benches();
  afterEach(() => benches.close());

  describe('ends', () => {
    it('below the minimum of records as an invalid request', async () => {
      const bench = await benches.open();
      const { progress } = await bench.over(await bench.submit('weir-few', 99));
      expect(progress).toMatchObject({
        state: 'failed',
        reason: 'failed',
        raw: 'Failed',
        failure: { kind: 'invalid_request', message: expect.stringContaining('minimum number') },
      });
    });

    it('as a matter of permission when the role is refused', async () => {
      const bench = await benches.open({ role_arn: 'arn:aws:iam::123456789012:role/other' });
      const { progress } = await bench.over(await bench.submit());
      expect(progress.failure?.kind).toBe('permission');
    });

    it('by expiry before it began, without results', async () => {
      const bench = await benches.open({ outcome: 'Expired' });
      const { progress } = await bench.over(await bench.submit());
      expect(progress).toMatchObject({
        state: 'failed',
        reason: 'expired',
        raw: 'Expired',
        failure: { kind: 'expired' },
      });
    });

    it('when every record failed, each with its own id', async () => {
      const bench = await benches.open({ rate_record_error: 1 });
      const { progress, batch } = await bench.over(await bench.submit());
      expect(progress).toMatchObject({
        state: 'ended',
        reason: 'completed',
        counts: { total: 100, succeeded: 0, failed: 100 },
      });
      const results = await bench.collect(batch);
      expect(new Set(results.map(({ key }) => key))).toEqual(new Set(bench.keys()));
    });

    it('without counts all the same', async () => {
      const bench = await benches.open({ counts: false });
      const { progress, batch } = await bench.over(await bench.submit());
      expect(progress).toMatchObject({ state: 'ended', counts: null });
      expect(await bench.collect(batch)).toHaveLength(100);
    });

    it('stopped before anything ran, without waiting for an output that never comes', async () => {
      const bench = await benches.open({ stop_at: 0 });
      const submitted = await bench.submit();
      await bench.api.cancel(submitted, bench.call());
      const { progress, batch } = await bench.over(submitted);
      expect(progress).toMatchObject({ state: 'ended', reason: 'cancelled', raw: 'Stopped' });
      expect(await bench.collect(batch)).toEqual([]);
    });
  });

  describe('outputs', () => {
    async function ended(
      options: LiveBedrockOptions,
      settings: object = {},
    ): Promise<{ bench: Bench; batch: ProviderBatch }> {
      const bench = await benches.open(options, settings);
      const { batch } = await bench.over(await bench.submit());
      return { bench, batch };
    }

    it('of several files are all read, also when one is listed late', async () => {
      const { bench, batch } = await ended({ output: { files: 3, late_ms: 60_000 } });
      expect(await failureOf(bench.collect(batch))).toMatchObject({ kind: 'server_error', code: 'output_incomplete' });
      for (const object of benches.server.s3.store.objects.values()) object.visibleFromMs = 0;
      expect(await bench.collect(batch)).toHaveLength(100);
    });

    it('that stay short are handed on, once nothing can be late any more', async () => {
      const { bench, batch } = await ended({ output: { drop: 4 } });
      await failureOf(bench.collect(batch));
      bench.nowMs += 700_000;
      expect(await bench.collect(batch)).toHaveLength(96);
    });

    it('that are listed in pages are all read and removed', async () => {
      const { bench, batch } = await ended({ output: { files: 3 } });
      benches.server.s3.configure({ page_size: 1 });
      expect(await bench.collect(batch)).toHaveLength(100);
      expect(await bench.api.cleanup(batch.refs, bench.call())).toHaveLength(5);
      expect(benches.keys()).toEqual([]);
    });

    it('are read without their manifest', async () => {
      const { bench, batch } = await ended({ output: { manifest: false } });
      expect(await bench.collect(batch)).toHaveLength(100);
    });

    it.each([
      [{ cut_after_bytes: 9000, cut_times: 4 }],
      [{ cut_after_bytes: 9000, cut_times: 4, cut_silently: true }],
      [{ cut_after_bytes: 40_000, cut_times: 1, ignore_range: true }],
    ])('that are cut, as %j, are read on from where they were', async (faults) => {
      const { bench, batch } = await ended({});
      benches.server.s3.configure(faults);
      const results = await bench.collect(batch);
      expect(new Set(results.map(({ key }) => key))).toEqual(new Set(bench.keys()));
      expect(results).toHaveLength(100);
      expect(benches.server.s3.counters.GetObject).toBe(faults.cut_times + 1);
    });

    it('that bring no more bytes are given up, not taken as whole', async () => {
      const { bench, batch } = await ended({});
      benches.server.s3.configure({ cut_after_bytes: 0, cut_times: 100, cut_silently: true });
      expect((await failureOf(bench.collect(batch))).code).toBe('download_incomplete');
      expect(benches.server.s3.counters.GetObject).toBe(3);
    });

    it('that change while they are read are refused', async () => {
      const { bench, batch } = await ended({});
      benches.server.s3.configure({ cut_after_bytes: 9000, cut_times: 1 });
      const results = bench.api.results(batch, bench.call())[Symbol.asyncIterator]();
      await results.next();
      const key = benches.keys().find((name) => name.endsWith('.jsonl.out')) ?? '';
      benches.server.s3.store.put(key, Buffer.alloc(60_000, 'x'), Date.now());
      const rest = async () => {
        while (!(await results.next()).done);
      };
      expect((await failureOf(rest())).status).toBe(412);
    });

    it('hold bad UTF-8 in one line without harm to the others', async () => {
      const { bench, batch } = await ended({ answer: () => 'a word' });
      const object = [...benches.server.s3.store.objects.values()].find(({ key }) => key.endsWith('.jsonl.out'));
      if (object === undefined) throw new Error('no output');
      object.body[object.body.indexOf('a word')] = 0xff;
      const results = await bench.collect(batch);
      const damaged = results.filter(({ result }) => result.ok && result.warnings.join().includes('UTF-8'));
      expect(damaged).toHaveLength(1);
      expect(results).toHaveLength(100);
    });

    it('are read from our own folder, whatever the refs say', async () => {
      const { bench, batch } = await ended({});
      const forged = { id: batch.id, refs: { ...batch.refs, processed: '0', output_uri: 's3://other-bucket/secret/' } };
      expect(await bench.collect(forged)).toHaveLength(100);
      expect(await bench.collect({ id: batch.id, refs: { ...forged.refs, token: '../../other' } })).toEqual([]);
      expect(await bench.api.cleanup({ ...forged.refs, token: '' }, bench.call())).toEqual([]);
    });
  });

  describe('requests', () => {
    function request(api: BatchApi, bench: Bench, body: object, model = nova): NativeRequest {
      const line = { customId: 'r', endpoint: '/v1/chat/completions' as const, body: body as Record<string, unknown> };
      const converted = bench.subject.provider.convert(line, model);
      if (!converted.ok) throw new Error(converted.failure.message);
      expect(JSON.parse(api.line('k', converted.request))).toMatchObject({ recordId: 'k' });
      return converted.request;
    }
    const user = [{ role: 'user', content: '"toolConfig" "tools" "output_config"' }];
    const tools = [{ type: 'function', function: { name: 'find' } }];
    const format = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } };
    const claude = 'anthropic.claude-opus-4-6-v1';

    it.each([
      [{ messages: user }, nova, null],
      [{ messages: user, tools }, nova, 'tools'],
      [{ messages: user, response_format: format }, 'openai.gpt-oss-20b-1:0', 'response_format'],
      [{ messages: user }, claude, null],
      [{ messages: user, reasoning_effort: 'low' }, claude, null],
      [{ messages: user, tools }, claude, 'tools'],
      [{ messages: user, response_format: format }, claude, 'response_format'],
    ])('%j of %s are refused for a job by %s', async (body, model, param) => {
      const bench = await benches.open();
      const failure = bench.api.refuses?.(request(bench.api, bench, body, model)) ?? null;
      if (param === null) expect(failure).toBeNull();
      else expect(failure).toMatchObject({ kind: 'unsupported', code: 'unsupported_in_batch', param });
      const allowing = await benches.open({}, { batch_tools: 'allow' });
      expect(allowing.api.refuses?.(request(allowing.api, allowing, body, model))).toBeNull();
    });
  });
});
