/** Evals of a chaos run: who asks for them, how their answers are judged, and which are cancelled. */
import { randomUUID } from 'node:crypto';
import type { EvalOutputItem } from '../../src/protocol/eval-output-item.ts';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import { type Action, EVAL_TAG, type EvalRoute, NATIVE_ROUTES } from './actions.ts';
import type { Batches } from './batches.ts';
import { EVAL_NUMBERS, keyIn } from './line-keys.ts';
import { untilRight } from './until-right.ts';

const TOKENS = 16;
/** Its answers, then its judges: a batch takes longer than others here. */
const LOOK_MS = 500;
const ITEMS_A_PAGE = 50;
/** Of which half of the invented answers have one. */
export const WORDS = ['the', 'river'];
export const CRITERIA = { words: 'words', judge: 'judge' } as const;

export interface EvalRun {
  tenant: number;
  rows: number;
  /** For each target the number by which it asks. */
  targets: { number: number; route: EvalRoute }[];
  judgeNumber: number | null;
  evalId: string;
  /** What created it: repeated, it must create nothing more. */
  creation: { key: string; body: string };
  id: string;
  isCancelled: boolean;
}

/** What the simulated pools answer to judges: of every second item that it is good. Undefined for other requests. */
export function judgement(body: object): string | undefined {
  const [, number, item] = /^line-(\d+)-(\d+)$/.exec(keyIn(JSON.stringify(body)) ?? '') ?? [];
  if (Number(number) < EVAL_NUMBERS.judges || item === undefined) return undefined;
  return JSON.stringify({ steps: ['so'], result: scoreOf(Number(item)) });
}

export function scoreOf(item: number): number {
  return item % 2;
}

export class Evals {
  readonly runs: EvalRun[] = [];
  private readonly batches: Batches;
  private begun = 0;
  private targets = 0;

  constructor(batches: Batches) {
    this.batches = batches;
  }

  /** Makes an eval and a run of it. */
  async begin({ tenant, rows, routes, isJudged, isFile }: Extract<Action, { do: 'eval' }>): Promise<void> {
    const client = this.batches.client(tenant);
    const number = EVAL_NUMBERS.judges + this.begun++;
    const targets = routes.map((route) => ({ number: EVAL_NUMBERS.answers + this.targets++, route }));
    const made = evalOf(isJudged ? number : null);
    const { id: evalId } = await client.json<{ id: string }>('/v1/evals', {
      method: 'POST',
      body: () => JSON.stringify(made),
      key: randomUUID(),
    });
    const content = Array.from({ length: rows }, (_, n) => ({ item: { n } }));
    const source = isFile
      ? { type: 'file_id', id: await this.upload(tenant, content) }
      : { type: 'file_content', content };
    const body = JSON.stringify(runOf(source, targets));
    const creation = { key: randomUUID(), body };
    const { id } = await client.json<EvalRunObject>(`/v1/evals/${evalId}/runs`, {
      method: 'POST',
      body: () => body,
      key: creation.key,
    });
    const judgeNumber = isJudged ? number : null;
    this.runs.push({ tenant, rows, targets, judgeNumber, evalId, creation, id, isCancelled: false });
  }

  /** That it has ended already is an answer too. */
  async cancel(pick: number): Promise<void> {
    const run = this.runs[pick % Math.max(1, this.runs.length)];
    if (!run) return;
    run.isCancelled = true;
    const { status, text } = await this.batches.client(run.tenant).ask(pathOf(run), { method: 'POST' });
    if (status !== 200 && status !== 409) this.batches.wrongs.push(`cancel of ${run.id}: ${status} ${text}`);
  }

  /** Every run ends. */
  async untilEnded(): Promise<void> {
    const wrongly = ({ message }: Error): void => void this.batches.wrongs.push(message);
    await Promise.all(
      this.runs.map((run) =>
        untilRight(async () => {
          const { status, targets } = await this.retrieve(run);
          if (status !== 'queued' && status !== 'in_progress') return [];
          // Whatever paused its batches: the run is over.
          for (const id of targets.flatMap(({ batch_id: own, judge_batch_ids: judges }) => [own, ...judges]))
            if (id !== null) await this.batches.client(run.tenant).ask(`/v1/batches/${id}/resume`, { method: 'POST' });
          return [`I4: ${run.id} stays ${status}: ${JSON.stringify(targets)}`];
        }, LOOK_MS).catch(wrongly),
      ),
    );
  }

  retrieve(run: EvalRun): Promise<EvalRunObject> {
    return this.batches.client(run.tenant).json<EvalRunObject>(pathOf(run));
  }

  /** All items of a run, of one target after the other. */
  async items(run: EvalRun): Promise<EvalOutputItem[]> {
    const client = this.batches.client(run.tenant);
    const items: EvalOutputItem[] = [];
    for (let after = ''; ; ) {
      const path = `${pathOf(run)}/output_items?limit=${ITEMS_A_PAGE}${after}`;
      const page = await client.json<{ data: EvalOutputItem[]; has_more: boolean; last_id: string }>(path);
      items.push(...page.data);
      if (!page.has_more) return items;
      after = `&after=${page.last_id}`;
    }
  }

  /** What the create call gives that is repeated with its key. */
  async repeatCreate({ tenant, evalId, creation }: EvalRun): Promise<string> {
    const init = { method: 'POST', body: () => creation.body, key: creation.key };
    return (await this.batches.client(tenant).json<EvalRunObject>(`/v1/evals/${evalId}/runs`, init)).id;
  }

  private async upload(tenant: number, rows: readonly object[]): Promise<string> {
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    const body = (): FormData => {
      const form = new FormData();
      form.set('purpose', 'evals');
      form.set('file', new File([text], 'rows.jsonl'));
      return form;
    };
    return (await this.batches.client(tenant).json<{ id: string }>('/v1/files', { method: 'POST', body })).id;
  }
}

export function pathOf({ evalId, id }: EvalRun): string {
  return `/v1/evals/${evalId}/runs/${id}`;
}

function evalOf(judgeNumber: number | null): object {
  const words = { input: '{{sample.output_text}}', reference: WORDS, match: 'any' };
  const asked = `Judge line-${judgeNumber}-{{item.n}}: {{sample.output_text}}`;
  const judge = { model: 'gpt-4o-mini', config: 'chain', input: [{ role: 'user', content: asked }] };
  return {
    data_source_config: { type: 'custom', item_schema: { type: 'object' } },
    testing_criteria: [
      { type: 'contains', name: CRITERIA.words, ...words },
      ...(judgeNumber === null ? [] : [{ type: 'score_model', name: CRITERIA.judge, ...judge }]),
    ],
  };
}

function runOf(source: object, targets: EvalRun['targets']): object {
  const messages = (number: number) => ({
    type: 'template',
    template: [{ role: 'user', content: `Say line-${number}-{{item.n}}.` }],
  });
  return {
    metadata: { route: EVAL_TAG },
    data_source: { type: 'completions', source, model: 'gpt-4o-mini', sampling_params: { max_tokens: TOKENS } },
    targets: targets.map(({ number, route }) => ({
      name: `by ${number}`,
      model: 'gpt-4o-mini',
      config: route,
      input_messages: messages(number),
      completion_window: NATIVE_ROUTES.has(route) ? '24h' : 'immediate',
    })),
  };
}
