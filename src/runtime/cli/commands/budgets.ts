import type { BudgetObject } from '../../../protocol/budget.ts';
import type { Page } from '../../../protocol/page.ts';
import { type Api, withApi } from '../api.ts';
import { readPairs } from '../arguments.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { alignUsd, formatTime } from '../figures.ts';
import type { budgetCreateArguments, budgetUpdateArguments, Parsed } from '../options.ts';
import { printable, printableJson } from '../printable.ts';
import { layTable } from '../table.ts';
import { print, type Terminal } from '../terminal.ts';

/** `weir budgets create`: what it bounds is named by options; without any it bounds everything. */
export function createBudget(terminal: Terminal, args: Parsed<typeof budgetCreateArguments>): Promise<number> {
  return withApi(terminal, async (api) => {
    const body = {
      ...settingsOf(args),
      period: args.period ?? 'month',
      ...(args.timezone !== undefined && { timezone: args.timezone }),
      ...(args.key !== undefined && { key_id: args.key }),
      ...(args.tenant !== undefined && { tenant_id: args.tenant }),
      ...(args.route !== undefined && { route: args.route }),
      ...(args.tag !== undefined && { tag: readTag(args.tag) }),
    };
    return show(terminal, args.json, await api.post<BudgetObject>('/v1/budgets', body));
  });
}

/** `weir budgets update ID`: what is not named stays. */
export function updateBudget(terminal: Terminal, args: Parsed<typeof budgetUpdateArguments>): Promise<number> {
  return withApi(terminal, async (api) => show(terminal, args.json, await api.post(pathOf(args.id), settingsOf(args))));
}

/** `weir budgets show ID` */
export function showBudget(terminal: Terminal, args: { id: string; json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => show(terminal, args.json, await api.get(pathOf(args.id))));
}

/** `weir budgets delete ID` */
export function deleteBudget(terminal: Terminal, args: { id: string; json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const deleted = await api.delete<{ id: string }>(pathOf(args.id));
    if (args.json) await print(terminal, printableJson(JSON.stringify(deleted, null, 2)));
    else await print(terminal, `${printable(deleted.id)} is deleted.`);
    return EXIT.done;
  });
}

/** `weir budgets list` */
export function listBudgets(terminal: Terminal, args: { json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const budgets = await allBudgets(api);
    if (args.json) {
      await print(terminal, printableJson(JSON.stringify({ object: 'list', data: budgets }, null, 2)));
      return EXIT.done;
    }
    if (budgets.length === 0) {
      await print(terminal, 'There are no budgets.');
      return EXIT.done;
    }
    const columns = [
      { header: 'BUDGET', least: 14 },
      { header: 'NAME', least: 8 },
      { header: 'LIMIT USD', align: 'right' as const },
      { header: 'SPENT', align: 'right' as const },
      { header: 'HELD', align: 'right' as const },
      { header: 'LEFT', align: 'right' as const },
    ];
    // None is rounded: a little that was spent must not read as nothing.
    const amounts = [
      budgets.map(({ limit_nano_usd }) => limit_nano_usd),
      budgets.map(({ usage }) => usage.spent_nano_usd),
      budgets.map(({ usage }) => usage.held_nano_usd),
      budgets.map(({ usage }) => usage.left_nano_usd),
    ].map((nanos) => alignUsd(nanos));
    const rows = budgets.map(({ id, name }, index) => [id, name, ...amounts.map((texts) => texts[index] ?? '')]);
    const lines = layTable(columns, rows, { width: terminal.out.columns, paint: terminal.out.paint });
    await print(terminal, lines.join('\n'));
    return EXIT.done;
  });
}

function pathOf(id: string): string {
  return `/v1/budgets/${encodeURIComponent(id)}`;
}

/** The settings that may be changed, as far as they are named. The server says what is wrong with them. */
function settingsOf(args: Parsed<typeof budgetUpdateArguments> | Parsed<typeof budgetCreateArguments>) {
  return {
    ...(args.name !== undefined && { name: args.name }),
    ...(args.limit !== undefined && { limit_usd: args.limit }),
    ...(args['on-insufficient'] !== undefined && { on_insufficient: args['on-insufficient'] }),
    ...(args.unpriced !== undefined && { unpriced: args.unpriced }),
    ...(args.alerts !== undefined && { alert_thresholds: readThresholds(args.alerts) }),
  };
}

function readThresholds(text: string): number[] {
  if (!/^\d{1,4}(,\d{1,4})*$/.test(text)) {
    throw wrongUse(`--alerts needs percents such as 50,80,100, not ${text}.`, 'alerts');
  }
  return text.split(',').map(Number);
}

function readTag(text: string): { key: string; value: string } {
  const [[key, value] = ['', '']] = Object.entries(readPairs([text], 'tag'));
  return { key, value };
}

async function show(terminal: Terminal, json: boolean | undefined, budget: BudgetObject): Promise<number> {
  if (json) {
    await print(terminal, printableJson(JSON.stringify(budget, null, 2)));
    return EXIT.done;
  }
  const { usage } = budget;
  const until = usage.period_ends_at === null ? '' : ` until ${formatTime(usage.period_ends_at)}`;
  const told = usage.alerts.map(({ threshold }) => `${threshold} %`).join(', ');
  await print(
    terminal,
    [
      `${printable(budget.id)} (${printable(budget.name)})`,
      `  limit  $${budget.limit_usd}${until}`,
      `  spent  $${usage.spent_usd}`,
      `  held   $${usage.held_usd}`,
      `  left   $${usage.left_usd}`,
      ...(told === '' ? [] : [`  passed ${told}`]),
    ].join('\n'),
  );
  return EXIT.done;
}

async function allBudgets(api: Api): Promise<BudgetObject[]> {
  const budgets: BudgetObject[] = [];
  let after = '';
  for (;;) {
    const page = await api.get<Page<BudgetObject>>(`/v1/budgets?limit=100${after}`);
    budgets.push(...page.data);
    if (!page.has_more || page.last_id === null) return budgets;
    after = `&after=${encodeURIComponent(page.last_id)}`;
  }
}
