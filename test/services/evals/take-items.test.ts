import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawSample } from '../../../src/core/eval/draw-sample.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { evalRunCreateSchema } from '../../../src/protocol/eval-run.ts';
import { createEval } from '../../../src/services/evals/create.ts';
import { createRun } from '../../../src/services/evals/create-run.ts';
import { advanceRun } from '../../../src/services/evals/work/advance-run.ts';
import { createFile } from '../../../src/services/files/create.ts';
import { deleteFile } from '../../../src/services/files/delete.ts';
import { temporaryFolder } from '../../e2e/weir.ts';
import { contextOf, openRig, type Rig } from '../shards/rig.ts';

describe('the rows of a file', () => {
  let folder: string;
  let rig: Rig;
  beforeAll(async () => {
    folder = await temporaryFolder();
    rig = await openRig(folder, { providers: {} });
  });
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(deps: Deps, bytes: Uint8Array, sample?: { share: number; least?: number; seed?: number }) {
    const context = contextOf(deps);
    const file = await createFile(deps, context, {
      content: (async function* () {
        yield bytes;
      })(),
      purpose: 'evals',
      details: () => Promise.resolve({ filename: 'a.jsonl', purpose: 'evals', expiresAfterSeconds: null }),
    });
    const { id: evalId } = await createEval(deps, context, {
      data_source_config: { type: 'custom', item_schema: { type: 'object', properties: { n: { type: 'integer' } } } },
      testing_criteria: [
        { type: 'string_check', name: 'g', operation: 'eq', input: '{{sample.output_text}}', reference: '{{item.n}}' },
      ],
    });
    const input = evalRunCreateSchema.parse({
      data_source: { type: 'jsonl', source: { type: 'file_id', id: file.id }, sample },
    });
    const { id } = await createRun(deps, context, evalId, input, 'http://weir');
    return { evalId, id, fileId: file.id };
  }

  /** Works in turns of one page each, as if the process ended after every one; answers how many there were. */
  async function workInTurns({ deps }: Rig, { evalId, id }: { evalId: string; id: string }): Promise<number> {
    for (let turns = 0; turns < 200; turns += 1) {
      const found = await deps.store.evals.getRun('all', evalId, id);
      if (found !== null && !['queued', 'in_progress'].includes(found.run.status)) return turns;
      const token = `turn-${turns}`;
      const now = Math.floor(deps.clock.now() / 1000);
      const [lease] = await deps.store.evalWork.claimDue({ now, until: now + 30, token, limit: 1 });
      if (lease === undefined) throw new Error('the run was not to be had');
      let pages = 1;
      await advanceRun(deps, lease, { token, mayGoOn: () => pages-- > 0, signal: new AbortController().signal });
      await deps.store.evalWork.release(id, token, 0);
    }
    throw new Error('the run does not end');
  }

  it('are taken in once each and in order, whatever ends the lines and wherever the work was interrupted', async () => {
    const rows = Array.from({ length: 2_500 }, (_, n) => ({
      item: { n, text: '\u00e4\u{1f600}'.repeat(n % 40) },
      sample: { output_text: n % 3 === 0 ? String(n) : 'x' },
    }));
    const text = rows
      .map((row, n) => JSON.stringify(row) + (n % 2 === 0 ? '\r\n' : '\n') + (n % 7 === 0 ? '  \n\n' : ''))
      .join('');
    const run = await start(rig.deps, Buffer.from(`\ufeff${text.trimEnd()}`));
    const turns = await workInTurns(rig, run);
    expect(turns).toBeGreaterThan(10);
    const found = await rig.deps.store.evals.getRun('all', run.evalId, run.id);
    expect(found?.run).toMatchObject({ status: 'completed', itemsRead: rows.length });
    expect(found?.targets[0]).toMatchObject({ passed: 834, failed: 1_666, errored: 0 });
    const items = await rig.deps.store.evals.items(run.id, 0, 5_000);
    expect(items).toEqual(rows.map((row, item) => ({ item, row })));
  });

  it('are a sample of them where the run asks for one, the same wherever the work was interrupted', async () => {
    const rows = Array.from({ length: 6_000 }, (_, n) => ({
      item: { n },
      sample: { output_text: 'x'.repeat(n % 90) },
    }));
    const text = rows.map((row, n) => `${JSON.stringify(row)}\n${n % 5 === 0 ? ' \n' : ''}`).join('');
    const run = await start(rig.deps, Buffer.from(text), { share: 0.5, seed: 11 });
    expect(await workInTurns(rig, run)).toBeGreaterThan(5);
    const places = drawSample(rows.length, { share: 0.5, least: 1 }, 11);
    const items = await rig.deps.store.evals.items(run.id, 0, 5_000);
    expect(items).toEqual(places.map((place, item) => ({ item, row: rows[place] })));
    expect(items).toHaveLength(3_000);
    const few = await start(rig.deps, Buffer.from(text), { share: 0.001, least: 30 });
    await workInTurns(rig, few);
    expect((await rig.deps.store.evals.getRun('all', few.evalId, few.id))?.run.itemsRead).toBe(30);
  });

  it.each([
    ['no rows', '\n \n', 'empty_file', 'no rows'],
    ['no JSON', '{"item":{"n":1},"sample":{}}\n{oops\n', 'invalid_item', 'Row 2 cannot be taken: it is not JSON'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_item', 'not JSON in UTF-8'],
    ['a row of another kind', '[1]\n', 'invalid_item', "no object with an 'item'"],
    [
      'an item against the schema',
      '{"item":{"n":"1"},"sample":{}}',
      'invalid_item',
      "does not fit the eval's schema at n",
    ],
    ['an item without what is read', '{"item":{},"sample":{}}', 'invalid_item', "'item.n' has no value here"],
    ['no answer', '{"item":{"n":1}}', 'invalid_item', "has no 'sample'"],
    ['a number beyond all bounds', '{"item":{"n":1,"m":1e999},"sample":{}}', 'invalid_item', 'too large'],
  ])('with %s fail the run with a reason', async (_what, content, code, message) => {
    const run = await start(rig.deps, Buffer.from(content as string));
    await workInTurns(rig, run);
    const found = await rig.deps.store.evals.getRun('all', run.evalId, run.id);
    expect(found?.run).toMatchObject({
      status: 'failed',
      error: { code, message: expect.stringContaining(message) as string },
    });
  });

  it('whose file was deleted fail the run', async () => {
    const run = await start(rig.deps, Buffer.from('{"item":{"n":1},"sample":{}}'));
    await deleteFile(rig.deps, contextOf(rig.deps), run.fileId);
    await workInTurns(rig, run);
    const found = await rig.deps.store.evals.getRun('all', run.evalId, run.id);
    expect(found?.run.error?.code).toBe('file_not_found');
  });
});
