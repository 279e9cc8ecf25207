/** What must hold of the evals of a chaos run: against their batches, the ledger, and what their judges said. */
import assert from 'node:assert/strict';
import type { EvalOutputItem } from '../../src/protocol/eval-output-item.ts';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { EVAL_TAG } from './actions.ts';
import type { Batches } from './batches.ts';
import { CRITERIA, type EvalRun, type Evals, pathOf, scoreOf, WORDS } from './evals.ts';
import { keyIn } from './line-keys.ts';

type Target = EvalRunObject['targets'][number];

/** What the batches of a run came to. */
interface Books {
  batches: Batches;
  lines: ReadonlyMap<string, readonly OutputLine[]>;
  entries: readonly LedgerEntryObject[];
}

/** Every run that nobody cancelled has one result for each item of each target, graded right, at the cost of its entries. */
export async function assertEvals(evals: Evals, books: Books): Promise<void> {
  for (const run of evals.runs) {
    const ended = await evals.retrieve(run);
    const items = await evals.items(run);
    // Another server may answer, and its address is that of the report.
    const again = { ...(await evals.retrieve(run)), report_url: ended.report_url };
    assert.deepEqual(again, ended, `I7: reading ${run.id} changes nothing`);
    assert.equal(await evals.repeatCreate(run), run.id, `I7: the create call of ${run.id}, repeated with its key`);
    const foreign = books.batches.client((run.tenant + 1) % books.batches.clients.length);
    assert.equal((await foreign.ask(pathOf(run))).status, 404, `I9: ${run.id} is there for another tenant`);
    assertMadeOnce(run, ended, books);
    for (const target of ended.targets) assertCost(run, target, books);
    if (ended.status === 'canceled' && run.isCancelled) continue;
    const isLost = ended.status === 'failed' && ended.targets.every((target) => isHarmed(target, books));
    assert(ended.status === 'completed' || isLost, `${run.id} ended as ${JSON.stringify(ended.error)}`);
    for (const target of ended.targets) {
      const own = items.filter(({ weir }) => weir.target_index === target.index);
      assertItems(run, target, own, books);
    }
    const all = { total: run.rows * run.targets.length, ...tallyOf(items) };
    assert.deepEqual(ended.result_counts, all, `the counts of ${run.id}`);
  }
}

/** Whether of a batch of it the disk has lost something, or its owner has taken it away: that is told by name. */
function isHarmed(target: Target, { batches: { damaged, withoutInput } }: Books): boolean {
  const ids = [target.batch_id, ...target.judge_batch_ids];
  return ids.some((id) => id !== null && (damaged.has(id) || withoutInput.has(id)));
}

/** Each part of a run is one batch, and the run knows it. */
function assertMadeOnce(run: EvalRun, { targets, status }: EvalRunObject, { batches }: Books): void {
  const made = batches.submitted.filter(
    ({ metadata, creation }) => metadata.eval_run_id === run.id && creation === null,
  );
  const parts = made.map(({ metadata }) => `${metadata.eval_target} ${metadata.eval_part}`);
  assert.equal(new Set(parts).size, parts.length, `a part of ${run.id} is several batches: ${parts}`);
  if (status === 'canceled') return;
  const known = targets.flatMap(({ batch_id: id, judge_batch_ids: judges }) => [id, ...judges]);
  assert.deepEqual(made.map(({ id }) => id).toSorted(), known.toSorted(), `the batches of ${run.id}`);
}

/** What a target cost is what was entered for its batches. */
function assertCost(
  run: EvalRun,
  { name, batch_id: id, judge_batch_ids: judges, ...target }: Target,
  { entries }: Books,
): void {
  const costs = [
    [target.cost, [id]],
    [target.judge_cost, judges],
  ] as const;
  for (const [cost, ids] of costs) {
    const own = entries.filter(({ batch_id: batch }) => batch !== null && ids.includes(batch));
    const sum = own.reduce((total, entry) => total + Number(entry.amount_nano_usd ?? 0), 0);
    const unpriced = own.filter(({ amount_nano_usd: amount }) => amount === null).length;
    const told = [cost?.amount_nano_usd, cost?.unpriced_entries];
    assert.deepEqual(told, [sum, unpriced], `the cost of ${name} of ${run.id}, and its entries`);
    const tagged = own.every(({ tags }) => tags.eval_run_id === run.id && tags.route === EVAL_TAG);
    assert(tagged, `entries of ${run.id} without its tags`);
  }
}

function assertItems(run: EvalRun, target: Target, items: readonly EvalOutputItem[], books: Books): void {
  const { number } = run.targets[target.index] ?? { number: 0 };
  const what = `${target.name} of ${run.id}`;
  const harmed = isHarmed(target, books);
  if (harmed && target.error !== null) return;
  assert.deepEqual([target.status, target.error], ['completed', null], what);
  const ids = items.map(({ datasource_item_id: id }) => id);
  const wanted = Array.from({ length: run.rows }, (_, item) => item);
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    wanted,
    `I1: every item of ${what} has one result`,
  );
  const { total, ...counts } = target.result_counts;
  assert.deepEqual([total, counts], [run.rows, tallyOf(items)], `the counts of ${what}`);
  if (harmed) return;
  const answers = linesByKey(books, [target.batch_id]);
  const judged = linesByKey(books, target.judge_batch_ids);
  for (const item of items) {
    const place = item.datasource_item_id;
    const shown = `item ${place} of ${what}: ${JSON.stringify(item)}`;
    assert.deepEqual(item.datasource_item, { n: place }, shown);
    const line = answers.get(`line-${number}-${place}`);
    assert(line, `${shown} has no line`);
    assertAnswer(item, line, shown);
    assertGrades(item, run.judgeNumber === null ? null : judged.get(`line-${run.judgeNumber}-${place}`), shown);
  }
}

/** An item has the answer of its line, or its error, at its cost. */
function assertAnswer({ sample, weir }: EvalOutputItem, line: OutputLine, shown: string): void {
  assert.deepEqual(
    [sample.error?.code ?? null, weir.provider, weir.cost_nano_usd],
    [line.error?.code ?? null, line.weir.provider, line.weir.cost_nano_usd],
    shown,
  );
  if (line.error === null) assert.equal(textOf(line), sample.output[0]?.content, shown);
}

/** Grades are what they must be, or errors with a name. `judge`: its line; null where there are no judges. */
function assertGrades(
  { datasource_item_id: place, status, sample, results }: EvalOutputItem,
  judge: OutputLine | null | undefined,
  shown: string,
): void {
  if (sample.error !== null) {
    assert.deepEqual([status, results], ['error', []], shown);
    return;
  }
  const [words, judged, ...more] = results;
  const text = sample.output[0]?.content ?? '';
  assert.deepEqual([words?.name, words?.passed], [CRITERIA.words, WORDS.some((word) => text.includes(word))], shown);
  assert.deepEqual([judged?.name, more.length], [judge === null ? undefined : CRITERIA.judge, 0], shown);
  if (judged !== undefined) {
    assert(judge, `${shown} has a judge's grade, and no line of one`);
    const isWhole = judge.error === null && judge.weir.finish_reason === 'stop';
    if (isWhole) assert.equal(judged.score, scoreOf(place), shown);
    else assert.deepEqual([judged.score, typeof judged.error?.code], [null, 'string'], shown);
  }
  const isKnown = results.every(({ score }) => score !== null);
  assert.equal(status, isKnown ? (results.every(({ passed }) => passed) ? 'pass' : 'fail') : 'error', shown);
}

function linesByKey({ batches, lines }: Books, ids: readonly (string | null)[]): Map<string, OutputLine> {
  const found = new Map<string, OutputLine>();
  for (const { id, input } of batches.submitted.filter((batch) => ids.includes(batch.id))) {
    const asked = input.split('\n');
    for (const line of lines.get(id) ?? []) {
      const key = keyIn(asked[line.weir.line - 1] ?? '') ?? '';
      assert(!found.has(key), `${key} is asked twice in ${id}`);
      found.set(key, line);
    }
  }
  return found;
}

function textOf({ response }: OutputLine): string {
  const body = response?.body as { choices: { message: { content: string | null } }[] } | undefined;
  return body?.choices[0]?.message.content ?? '';
}

function tallyOf(items: readonly EvalOutputItem[]): { passed: number; failed: number; errored: number } {
  const count = (wanted: EvalOutputItem['status']) => items.filter(({ status }) => status === wanted).length;
  return { passed: count('pass'), failed: count('fail'), errored: count('error') };
}
