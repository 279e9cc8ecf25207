import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvalChoice } from '../../src/protocol/eval-choice.ts';
import type { EvalComparison } from '../../src/protocol/eval-comparison.ts';
import type { EvalRunObject } from '../../src/protocol/eval-run.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { type Ran, runCli } from '../runtime/cli-terminal.ts';
import { assertInvariants } from './invariants.ts';
import { ADMIN_KEY, type Pools, startPools, startWeir, temporaryFolder, type Weir } from './weir.ts';

const ITEMS = 60;
const HOSTILE = '<script>alert(1)</script>';
/** What each target gets wrong, and its price: one in ten, every second, and nothing. */
const WRONG: Record<string, (index: number) => boolean> = {
  a: (index) => index % 10 === 9,
  b: (index) => index % 2 === 1,
  c: () => false,
};
const PRICES: Record<string, object> = {
  a: { input: 1, output: 2 },
  b: { input: 0.1, output: 0.2 },
  c: { input: 5, output: 25 },
};

describe('weir eval', () => {
  let pools: Pools;
  let weir: Weir;
  let folder: string;
  let items: string;
  let answers: string;

  beforeAll(async () => {
    const names = Object.keys(WRONG);
    pools = await startPools(names.map(() => ({ models: ['m'] })));
    for (const [index, name] of names.entries()) {
      const answer = (body: Record<string, unknown>): string => {
        if (JSON.stringify(body).includes('You grade answers')) return '{"steps":[],"result":1}';
        const question = Number(/What is (\d+) \+/.exec(JSON.stringify(body))?.[1]);
        return `${HOSTILE} It is ${2 * question + (WRONG[name]?.(question) ? 1 : 0)}.`;
      };
      pools.servers[index]?.configure({ answer });
    }
    const providers = names.map((name, index) => [
      name,
      { kind: 'vllm', base_urls: [pools.servers[index]?.baseUrl], models: ['m'], price: PRICES[name] },
    ]);
    weir = await startWeir({
      providers: Object.fromEntries(providers),
      routes: {
        spare: { provider: 'c', model: 'm' },
        duo: {
          strategy: { mode: 'loadbalance' },
          targets: [
            { provider: 'a', model: 'm' },
            { provider: 'b', model: 'm' },
          ],
        },
      },
    });
    folder = await temporaryFolder();
    items = join(folder, 'sums.jsonl');
    answers = join(folder, 'answers.jsonl');
    const lines = Array.from({ length: ITEMS }, (_none, index) => {
      const messages = [{ role: 'user', content: `What is ${index} + ${index}?` }];
      const body = { model: 'a/m', messages, max_tokens: 50, temperature: 0 };
      return JSON.stringify({ custom_id: `sum-${index}`, method: 'POST', url: '/v1/chat/completions', body });
    });
    await writeFile(items, `${lines.join('\n')}\n`);
    const right = lines.map((_line, index) => JSON.stringify({ custom_id: `sum-${index}`, answer: String(2 * index) }));
    await writeFile(answers, `${right.join('\n')}\n`);
  });
  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const run = (...argv: string[]): Promise<Ran> =>
    runCli(['eval', ...argv], { environment: { WEIR_URL: weir.url, WEIR_API_KEY: ADMIN_KEY } });
  const targets = ['--targets', 'good=a/m,cheap=b/m,best=spare'];

  it('gives three targets of known accuracy and price exactly those figures, reports them, and fails under a rate', async () => {
    const html = join(folder, 'report.html');
    const junit = join(folder, 'report.xml');
    const ran = await run(
      ...['run', items, '--answers', answers, ...targets, '--grader', 'numeric', '--seed', '7'],
      ...['--fail-under', '60%', '--html', html, '--junit', junit, '--json'],
    );
    expect([ran.exitCode, ran.notes]).toEqual([1, expect.stringContaining('cheap passes 50.0 %, under the 60.0 %')]);
    const comparison = JSON.parse(ran.out) as EvalComparison & { thresholds: unknown };
    expect(comparison.targets.map(({ target, passed, pass_rate }) => [target, passed, pass_rate.value])).toEqual([
      ['good', 54, 0.9],
      ['cheap', 30, 0.5],
      ['best', 60, 1],
    ]);
    expect(comparison.thresholds).toEqual([
      { target: 'good', least: 0.6, reached: true },
      { target: 'cheap', least: 0.6, reached: false },
      { target: 'best', least: 0.6, reached: true },
    ]);
    // Of 60 items: good fails 6 (9, 19, …), cheap the odd ones, among them those six.
    expect(comparison.pairs[0]).toMatchObject({ only_a_passed: 24, only_b_passed: 0, agreement: 0.6 });
    expect(comparison.differing.count).toBe(30);
    expect(comparison.frontier).toEqual(['cheap', 'good', 'best']);

    const { eval_id, run_id } = comparison;
    const found = await weir.call<EvalRunObject>(`/v1/evals/${eval_id}/runs/${run_id}`);
    for (const [index, target] of found.targets.entries()) {
      const cost = comparison.targets[index]?.cost;
      const spent = (await weir.client.batches.retrieve(target.batch_id ?? '')) as unknown as {
        cost: { amount_nano_usd: number };
      };
      expect(cost?.amount_nano_usd).toBe(spent.cost.amount_nano_usd);
      expect(cost?.per_item_nano_usd).toBe(Math.round(spent.cost.amount_nano_usd / ITEMS));
      const accepted = comparison.targets[index]?.passed ?? 0;
      expect(Math.abs((cost?.per_accepted_nano_usd ?? 0) - spent.cost.amount_nano_usd / accepted)).toBeLessThanOrEqual(
        0.5,
      );
      const batch = await weir.client.batches.retrieve(target.batch_id ?? '');
      const input = await (await weir.client.files.content(batch.input_file_id)).text();
      await assertInvariants(weir, batch.id, input);
      // The parameters of the file's lines are those of the requests.
      expect(JSON.parse(input.split('\n')[0] ?? '')).toMatchObject({ body: { max_tokens: 50, temperature: 0 } });
    }

    const page = await readFile(html, 'utf8');
    expect(page).toContain('Items on which they differ: 30');
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt; It is');
    expect(page).not.toContain('<script');
    const xml = await readFile(junit, 'utf8');
    expect(xml).toContain('<testsuite name="cheap" tests="61" failures="31" errors="0">');
    expect(xml.match(/<testcase/g)).toHaveLength(3 * (ITEMS + 1));
    expect(xml).not.toContain('<script');
  });

  it('shows a table within 80 columns, the same eval again by its name, and its runs', async () => {
    const again = await run('run', items, '--answers', answers, ...targets, '--grader', 'numeric', '--sample', '20');
    expect(again.exitCode).toBe(0);
    expect(again.out).toMatch(/^20 items, 3 targets\n\nTARGET +PASS +95 % +SCORE +VALID +P50 +USD\/ITEM +USD\/PASS\n/);
    for (const line of again.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
    const listed = JSON.parse((await run('list', '--json')).out);
    expect(listed.data).toHaveLength(1);
    const runs = await run('show', listed.data[0].id);
    expect(runs.out).toMatch(/^RUN +TARGETS +STATUS +ITEMS +PASS +CREATED\n/);
    expect(runs.out.trimEnd().split('\n')).toHaveLength(3);
    const [latest] = JSON.parse((await run('show', listed.data[0].id, '--json')).out).data;
    const csv = await run('show', listed.data[0].id, latest.id, '--csv', '--fail-under', 'best=1');
    expect(csv.exitCode).toBe(0);
    expect(csv.out.split('\r\n').map((line) => line.split(',')[0])).toEqual(['target', 'good', 'cheap', 'best', '']);
    expect((await run('show', listed.data[0].id, latest.id, '--fail-under', 'worst=1')).exitCode).toBe(2);
    // What was uploaded for a run is gone with it.
    const files = await weir.client.files.list({ purpose: 'evals' });
    expect(files.data).toEqual([]);
  });

  it('asks the targets of a route, and judges by another in a window of their own', async () => {
    const judged = ['--grader', 'judge', '--judge-route', 'spare', '--judge-window', '1h'];
    const ran = await run('run', items, '--route', 'duo', '--sample', '10', ...judged, '--json', '--name', 'judged');
    expect(ran.exitCode).toBe(0);
    const { run_id: runId, eval_id: evalId, targets: asked } = JSON.parse(ran.out) as EvalComparison;
    expect(asked.map(({ target, passed }) => [target, passed])).toEqual([
      ['a/m', 10],
      ['b/m', 10],
    ]);
    const { targets: parts } = await weir.call<EvalRunObject>(`/v1/evals/${evalId}/runs/${runId}`);
    for (const { judge_batch_ids: ids } of parts) {
      expect(ids).toHaveLength(1);
      const batch = await weir.client.batches.retrieve(ids[0] ?? '');
      expect([batch.completion_window, batch.request_counts?.completed]).toEqual(['1h', 10]);
    }
  });

  it('chooses by a sample, tells why, and stores the route when asked to', async () => {
    const argv = ['choose', items, '--answers', answers, ...targets, '--grader', 'numeric', '--floor', '80%'];
    const ran = await run(...argv, '--sample', '50%', '--seed', '3', '--json', '--apply', 'chosen');
    expect([ran.exitCode, ran.notes]).toEqual([0, expect.stringContaining('30 items')]);
    const choice = JSON.parse(ran.out) as EvalChoice;
    expect(choice.targets.map(({ target, eligible, graded }) => [target, eligible, graded])).toEqual([
      ['good', true, 30],
      ['cheap', false, 30],
      ['best', true, 30],
    ]);
    expect(choice.targets.reduce((sum, { weight }) => sum + weight, 0)).toBe(100);
    expect(choice.targets[0]?.weight).toBeGreaterThan(choice.targets[2]?.weight ?? 100);
    const { config } = await weir.call<{ config: object }>('/v1/routes/chosen');
    expect(config).toEqual({
      strategy: { mode: 'loadbalance' },
      targets: [
        { provider: 'a', model: 'm', weight: choice.targets[0]?.weight },
        { provider: 'c', model: 'm', weight: choice.targets[2]?.weight },
      ],
    });
    expect((await run(...argv, '--apply', 'no/name')).exitCode).toBe(2);
    const taken = await run(...argv, '--sample', '30', '--apply', 'spare');
    expect([taken.exitCode, taken.out]).toEqual([2, expect.stringContaining('Expected of these weights')]);
    const few = await run(...argv, '--sample', '5');
    expect(few.exitCode).toBe(1);
    expect(few.out).toContain('Only 5 items are graded; at least 30 are wanted');
    for (const line of few.out.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
  });

  it('refuses wrong use before anything is sent, naming line and remedy', async () => {
    const mixed = join(folder, 'mixed.jsonl');
    await writeFile(mixed, '{"question":"1 + 1?","answer":"2"}\n{"item":{"question":"x"}}\n');
    const plain = join(folder, 'plain.jsonl');
    await writeFile(plain, '{"name":"x"}\n');
    const broken = join(folder, 'broken.jsonl');
    await writeFile(broken, '{"question":"x"}\n{nonsense\n');
    const asks: [string[], string][] = [
      [['run', mixed, '--targets', 'a/m', '--grader', 'exact'], 'Line 2 of'],
      [['run', broken, '--targets', 'a/m', '--grader', 'exact'], 'Line 2 of'],
      [['run', plain, '--targets', 'a/m', '--grader', 'regex:x'], '--prompt'],
      [['run', plain, '--targets', 'a/m', '--grader', 'exact'], 'exact:FIELD'],
      [['run', items, '--targets', 'a/m,a/m', '--grader', 'regex:x'], 'twice'],
      [['run', items, '--targets', 'a/m'], '--grader is missing'],
      [['run', items, '--targets', 'a/m', '--grader', 'exakt'], 'Did you mean exact?'],
      [['run', items, '--targets', 'a/m', '--grader', 'regex:x', '--fail-under', '2'], '--fail-under needs a share'],
      [['run', items, '--targets', 'none.yaml', '--grader', 'regex:x'], 'There is no file none.yaml'],
      [['run', items, '--answers', plain, '--targets', 'a/m', '--grader', 'exact'], 'has no custom_id'],
      [['run', items, '--targets', 'a/m', '--grader', 'regex:x', '--html', '/nowhere/x.html'], '--html'],
      [['choose', items, '--targets', 'a/m', '--grader', 'regex:x'], '--floor is missing'],
      [['run', items, '--targets', 'a/m', '--route', 'duo', '--grader', 'regex:x'], 'leave one out'],
      [
        ['run', items, '--targets', 'a/m', '--grader', 'regex:x', '--judge-route', 'spare'],
        '--judge-route is for judges',
      ],
      [['run', items, '--route', 'nowhere', '--grader', 'regex:x'], "no route 'nowhere'"],
    ];
    for (const [argv, words] of asks) {
      const ran = await run(...argv);
      expect([argv.join(' '), ran.exitCode]).toEqual([argv.join(' '), 2]);
      expect(ran.notes).toContain(words);
    }
    const unknown = await run('run', items, '--targets', 'no/such', '--grader', 'regex:x');
    expect([unknown.exitCode, unknown.notes]).toEqual([2, expect.stringContaining('no/such')]);
    expect((await weir.client.files.list({ purpose: 'evals' })).data).toEqual([]);
  });
});
