import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvalLease } from '../../../src/ports/store-evals.ts';
import { evalRunCreateSchema } from '../../../src/protocol/eval-run.ts';
import { createEval } from '../../../src/services/evals/create.ts';
import { createRun } from '../../../src/services/evals/create-run.ts';
import { advanceRun } from '../../../src/services/evals/work/advance-run.ts';
import { cleanUp } from '../../../src/services/evals/work/clean-up.ts';
import { temporaryFolder } from '../../e2e/weir.ts';
import { contextOf, openRig, type Rig } from '../shards/rig.ts';

describe('a process that wakes up after its lease has lapsed', () => {
  let folder: string;
  let rig: Rig;
  beforeAll(async () => {
    folder = await temporaryFolder();
    rig = await openRig(folder, {
      providers: { a: { kind: 'vllm', base_urls: ['http://127.0.0.1:9/v1'], models: ['m'] } },
    });
  });
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function claim(token: string): Promise<EvalLease> {
    const now = Math.floor(rig.deps.clock.now() / 1000);
    const [lease] = await rig.deps.store.evalWork.claimDue({ now, until: now + 30, token, limit: 1 });
    if (lease === undefined) throw new Error('the run was not to be had');
    return lease;
  }

  function work(lease: EvalLease, token: string, pages: number): Promise<void> {
    let left = pages;
    return advanceRun(rig.deps, lease, { token, mayGoOn: () => left-- > 0, signal: new AbortController().signal });
  }

  it.each(['cancelled', 'deleted'])('leaves no batch running of a run that was %s meanwhile', async (how) => {
    const { deps } = rig;
    const context = contextOf(deps);
    const { id: evalId } = await createEval(deps, context, {
      data_source_config: { type: 'custom', item_schema: { type: 'object' } },
      testing_criteria: [{ type: 'string_check', name: 'g', operation: 'eq', input: '', reference: '' }],
    });
    const input = evalRunCreateSchema.parse({
      data_source: {
        type: 'completions',
        source: { type: 'file_content', content: [{ item: { q: 'x' } }] },
        input_messages: { type: 'template', template: [{ role: 'user', content: '{{item.q}}' }] },
        model: 'a/m',
      },
    });
    const { id } = await createRun(deps, context, evalId, input, 'http://weir');
    await work(await claim('first'), 'first', 1);
    await deps.store.evalWork.release(id, 'first', 0);
    const sleeping = await claim('sleeping');
    expect(sleeping).toMatchObject({ run: { status: 'in_progress' }, targets: [{ stage: 'ask' }] });
    const before = (await deps.store.batches.list('all', { limit: 10 }))?.length ?? 0;

    if (how === 'deleted') await deps.store.evals.deleteRun('all', evalId, id, 1);
    else await deps.store.evals.cancelRun('all', evalId, id, 1);
    rig.advance(60);
    expect(await cleanUp(deps, await claim('other'), 'other')).toBe(true);
    await work(sleeping, 'sleeping', 100);
    const batches = (await deps.store.batches.list('all', { limit: 10 })) ?? [];
    // Of a deleted run there is nothing left to ask.
    expect(batches).toHaveLength(how === 'deleted' ? before : before + 1);
    expect(batches.every(({ status }) => status === 'cancelling')).toBe(true);
  });
});
