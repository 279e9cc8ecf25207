import { afterEach } from 'vitest';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import { assertInvariants } from './invariants.ts';
import { type Pools, startPools, startWeir, type Weir } from './weir.ts';

const ENDED = ['completed', 'failed', 'canceled'];

const schema = {
  type: 'object',
  properties: { question: { type: 'string' }, answer: { type: 'string' } },
  required: ['question', 'answer'],
};
/** Items with a question and an answer. */
export const custom = { type: 'custom' as const, item_schema: schema, include_sample_schema: true };
/** Asks the question of an item. */
export const template = {
  type: 'template' as const,
  template: [
    { role: 'system' as const, content: 'Answer briefly.' },
    { role: 'user' as const, content: '{{item.question}}' },
  ],
};

/** The text of a message, whatever its form. */
export function asked(body: Record<string, unknown>): string {
  return JSON.stringify(body.messages ?? body.input);
}

/** A server of a test, and its pools. */
export interface EvalServer {
  pools: Pools;
  weir: Weir;
  /** Opens a server with one provider per pool, each with the model `m`; `answer` gives the texts. */
  open: (answers: ((body: Record<string, unknown>) => string | undefined)[]) => Promise<void>;
  /** A run that has ended; throws when it has not in so many seconds. */
  ended: (evalId: string, runId: string, seconds?: number) => Promise<EvalRunObject>;
  /** What must hold of every batch of a run. */
  assertBooks: (run: EvalRunObject) => Promise<void>;
}

/** One for each test of a file, stopped after it. */
export function evalServer(): EvalServer {
  const at = {} as EvalServer;
  at.open = async (answers) => {
    at.pools = await startPools(answers.map(() => ({ models: ['m', 'judge', 'vectors'] })));
    for (const [index, answer] of answers.entries()) at.pools.servers[index]?.configure({ answer });
    const providers = at.pools.servers.map((server, index) => [
      'abc'[index],
      { kind: 'vllm', base_urls: [server.baseUrl], models: ['m', 'judge', 'vectors'], price: { input: 1, output: 2 } },
    ]);
    at.weir = await startWeir({ providers: Object.fromEntries(providers) });
  };
  at.ended = async (evalId, runId, seconds = 60) => {
    const deadline = Date.now() + seconds * 1_000;
    for (;;) {
      const run = await at.weir.client.evals.runs.retrieve(runId, { eval_id: evalId });
      if (ENDED.includes(run.status)) return run as unknown as EvalRunObject;
      if (Date.now() > deadline) throw new Error(`the run stays ${JSON.stringify(run)}`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  };
  at.assertBooks = async (run) => {
    for (const target of run.targets) {
      for (const id of [target.batch_id, ...target.judge_batch_ids]) {
        if (id === null) continue;
        const batch = await at.weir.client.batches.retrieve(id);
        await assertInvariants(at.weir, id, await (await at.weir.client.files.content(batch.input_file_id)).text());
      }
    }
  };
  afterEach(async () => {
    await at.weir?.stop();
    await at.pools?.stop();
  });
  return at;
}
