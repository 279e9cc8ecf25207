import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PieceJoiner, pieceOf, recordIdOf } from '../../../providers/bedrock/pieces.ts';
import type { BatchResult, Result } from '../../../providers/contract.ts';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { refusal } from '../../../src/core/failure.ts';
import { Bench } from '../../contract/provider-batch-setup.ts';
import { caller, providerAt } from './subject.ts';

const none = () => {
  throw new Error('not used');
};

describe('embeddings in jobs of Bedrock', () => {
  let server: SimulatedBedrock;
  let bench: Bench;
  beforeEach(async () => {
    server = await startBedrockServer({ caller, job_ms: 10 });
    const simulator = { hold: none, release: none, held: none, addForeign: none, sentBytes: none, faults: {} };
    bench = new Bench({ provider: providerAt(server), model: '', secret: '', simulator, stop: () => server.stop() });
  });
  afterEach(() => bench.close());

  async function run(model: string, body: object): Promise<BatchResult[]> {
    const endpoint = '/v1/embeddings' as const;
    const line = { customId: 'r', endpoint, body: body as Record<string, unknown> };
    const converted = bench.subject.provider.convert(line, model);
    if (!converted.ok) throw new Error(converted.failure.message);
    const text = bench
      .keys(100)
      .map((key) => `${bench.api.line(key, converted.request)}\n`)
      .join('');
    async function* open() {
      yield Buffer.from(text);
    }
    const input = { token: 'weir-e', endpoint, model, lines: 100, bytes: text.length, open, options: {} };
    const { batch } = await bench.over(await bench.api.submit(input, bench.call()));
    expect(server.jobs()[0]?.input.modelInvocationType).toBe('InvokeModel');
    return bench.collect(batch);
  }

  it.each([
    ['amazon.titan-embed-text-v2:0', 'float', { input_tokens: 6 }],
    ['amazon.titan-embed-text-v2:0', 'base64', { input_tokens: 6 }],
    ['cohere.embed-v4:0', 'float', null],
    ['cohere.embed-v4:0', 'base64', null],
  ])('of %s come back whole and in order, as %s', async (model, encoding, usage) => {
    const results = await run(model, { input: ['one text', 'two text', 'other'], encoding_format: encoding });
    expect(new Set(results.map(({ key }) => key))).toEqual(new Set(bench.keys(100)));
    expect(results).toHaveLength(100);
    for (const { result, raw } of results) {
      expect(result).toMatchObject({ ok: true, usage });
      expect(raw).not.toContain('\n');
      const { data } = JSON.parse(result.body ?? '') as { data: { index: number; embedding: unknown }[] };
      expect(data.map(({ index }) => index)).toEqual([0, 1, 2]);
      for (const { embedding } of data) expect(typeof embedding === 'string').toBe(encoding === 'base64');
    }
  });

  it('fail as a whole when a part failed, and tell what the others used', async () => {
    server.configure({ poison: [{ contains: 'bad text', error_message: 'not this' }] });
    const results = await run('amazon.titan-embed-text-v2:0', { input: ['good', 'bad text'] });
    expect(results).toHaveLength(100);
    for (const { result } of results) {
      expect(result).toMatchObject({ ok: false, failure: { message: 'not this' }, usage: { input_tokens: 1 } });
    }
  });

  it('of which a part never came are failures that tell what the others used', async () => {
    server.configure({ output: { drop: 1 } });
    bench.nowMs += 700_000;
    const results = await run('amazon.titan-embed-text-v2:0', { input: ['good', 'also'] });
    const failed = results.filter(({ result }) => !result.ok);
    expect(results).toHaveLength(100);
    expect(failed).toMatchObject([
      { result: { failure: { code: 'incomplete_embeddings' }, usage: { input_tokens: 1 } } },
    ]);
  });
});

describe('parts of a request', () => {
  const one: Result = {
    ok: true,
    status: 200,
    requestId: null,
    body: '{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":1}}',
    usage: { input_tokens: 1 },
    rawUsage: null,
    servedModel: null,
    finishReason: null,
    warnings: [],
  };

  it('are told by the id of their record', () => {
    const piece = { key: 'l-7', index: 2, count: 3, encoding: 'base64' } as const;
    expect(pieceOf(recordIdOf(piece))).toEqual(piece);
    expect(recordIdOf({ key: 'l-7', index: 0, count: 1, encoding: 'float' })).toBe('l-7');
    for (const id of ['l-7', 'l-7.3-3f', 'l-7.x', '', 'l-7.1-2z']) expect(pieceOf(id)).toBeNull();
  });

  it('count before failures of the same part, wherever they stand', () => {
    const failure = { ...refusal('server_error', 'server_error', 'Lost.'), status: 500, reachedProvider: true };
    const failed: Result = { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
    const piece = (index: number) => ({ key: 'l-7', index, count: 2, encoding: 'float' as const });
    const add = (results: Result[]) => {
      const joiner = new PieceJoiner(null, 10);
      const whole = results.map((each, index) => joiner.add(piece(index % 2), each, 'raw'));
      return [...whole.filter((each) => each !== null), ...joiner.rest()].map((joined) => joined.result);
    };
    expect(add([failed, one, one])).toMatchObject([{ ok: true, usage: { input_tokens: 2 } }]);
    expect(add([one, failed, failed])).toMatchObject([{ ok: false, usage: { input_tokens: 1 } }]);
  });

  it('wait within bounds: what does not fit is left to another reading', () => {
    const lines = [0, 1].flatMap((index) =>
      ['a', 'b', 'c'].map((key) => ({ key, index, count: 2, encoding: 'float' as const })),
    );
    const read: string[][] = [];
    let postponed: ReadonlySet<string> | null = null;
    do {
      const joiner: PieceJoiner = new PieceJoiner(postponed, 10);
      const joined = lines.map((piece) => joiner.add(piece, one, 'raw'));
      read.push(joined.flatMap((whole) => (whole === null ? [] : [whole.key])));
      expect([...joiner.rest()]).toEqual([]);
      postponed = joiner.postponed.size > 0 ? joiner.postponed : null;
    } while (postponed !== null);
    expect(read).toEqual([['a'], ['b'], ['c']]);
  });
});
