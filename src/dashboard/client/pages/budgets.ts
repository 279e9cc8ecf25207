import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { BudgetObject } from '../../../protocol/budget.ts';
import type { Page } from '../../../protocol/page.ts';
import { send, withQuery } from '../api.ts';
import { html } from '../html.ts';
import { turnover } from '../live.ts';
import { Button, useAction } from '../parts/action.ts';
import { Badge } from '../parts/badge.ts';
import { Confirm } from '../parts/dialog.ts';
import { Money, When } from '../parts/figures.ts';
import { Pager } from '../parts/pager.ts';
import { Answer, Empty, Failure } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';
import { BudgetDialog } from './budgets/editor.ts';
import { UsageBar } from './budgets/usage-bar.ts';

const PAGE_ROWS = 50;
const REFRESH_MS = 5_000;

type Asked = { what: 'new' } | { what: 'edit' | 'delete'; budget: BudgetObject };

/** Budgets with what is spent, held and left in their present period. */
export function Budgets(): VNode {
  const [cursors, setCursors] = useState<string[]>([]);
  const [asks, setAsks] = useState<Asked | null>(null);
  const list = useQuery<Page<BudgetObject>>(withQuery('/v1/budgets', { limit: PAGE_ROWS, after: cursors.at(-1) }), {
    everyMs: REFRESH_MS,
    version: turnover.value,
  });
  const action = useAction();
  const close = () => setAsks(null);
  const remove = (budget: BudgetObject) =>
    action.run(async () => {
      close();
      await send('DELETE', `/v1/budgets/${encodeURIComponent(budget.id)}`);
      list.reload();
    });
  return html`<div class="page">
    <div class="page-head"><div><h1 tabindex="-1">Budgets</h1>
      <p class="lead">What may be spent. Batches and calls hold what they may come to; what does not fit is refused, or stopped at the limit.</p></div>
      <${Button} kind="primary" onClick=${() => setAsks({ what: 'new' })}>New budget</${Button}></div>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
    <${Answer} query=${list} what="budgets" lines=${5}>${(page: Page<BudgetObject>) =>
      page.data.length === 0
        ? html`<${Empty} title="No budgets"><p>Nothing bounds what keys, tenants and routes may spend. A budget counts dollars a day, week, month or in all.</p></${Empty}>`
        : html`<${Table} caption="Budgets" columns=${columnsOf(setAsks)} rows=${page.data} rowKey=${(budget: BudgetObject) => budget.id} />
          <${Pager} hasMore=${page.has_more} page=${cursors.length} onNext=${() => setCursors([...cursors, page.last_id ?? ''])} onPrevious=${() => setCursors(cursors.slice(0, -1))} />`}</${Answer}>
    ${asks?.what === 'new' ? html`<${BudgetDialog} budget=${null} onClose=${close} onSaved=${list.reload} />` : null}
    ${asks?.what === 'edit' ? html`<${BudgetDialog} budget=${asks.budget} onClose=${close} onSaved=${list.reload} />` : null}
    ${
      asks?.what === 'delete'
        ? html`<${Confirm} title=${`Delete ${asks.budget.name}?`} verb="Delete" danger onConfirm=${() => remove(asks.budget)} onClose=${close}>
      <p>It bounds nothing any more, running batches included. What was spent stays in the ledger.</p></${Confirm}>`
        : null
    }
  </div>`;
}

function columnsOf(ask: (asked: Asked) => void): Column<BudgetObject>[] {
  return [
    {
      name: 'Budget',
      kind: 'lead',
      cell: (budget) =>
        html`<span class="cell-main">${budget.name}</span><div class="cell-sub">${scopeOf(budget)}</div>
          <div class="cell-sub">${budget.on_insufficient === 'stop' ? 'stops batches at the limit' : 'refuses what may not fit'}${budget.unpriced === 'allow' ? ', lets unpriced through' : ''}</div>`,
    },
    { name: 'Period', cell: (budget) => html`<${Period} budget=${budget} />` },
    { name: 'Used', cell: (budget) => html`<${UsageBar} budget=${budget} />` },
    {
      name: 'Spent',
      kind: 'number',
      cell: ({ usage }) => html`<${Money} nano=${usage.spent_nano_usd} usd=${usage.spent_usd} />`,
    },
    {
      name: 'Held',
      kind: 'number',
      cell: ({ usage }) => html`<${Money} nano=${usage.held_nano_usd} usd=${usage.held_usd} />`,
    },
    {
      name: 'Left',
      kind: 'number',
      cell: ({ usage }) =>
        html`<span class=${usage.left_nano_usd < 0 ? 'bad-text' : ''}><${Money} nano=${usage.left_nano_usd} usd=${usage.left_usd} /></span>`,
    },
    {
      name: 'Limit',
      kind: 'number',
      cell: (budget) => html`<${Money} nano=${budget.limit_nano_usd} usd=${budget.limit_usd} />`,
    },
    { name: 'State', cell: (budget) => html`<${State} budget=${budget} />` },
    {
      name: 'Action',
      kind: 'bare',
      cell: (budget) =>
        html`<div class="row-actions"><${Button} kind="small" onClick=${() => ask({ what: 'edit', budget })}>Edit<span class="hidden"> ${budget.name}</span></${Button}>
          <${Button} kind="small danger" onClick=${() => ask({ what: 'delete', budget })}>Delete<span class="hidden"> ${budget.name}</span></${Button}></div>`,
    },
  ];
}

/** What a budget counts. */
function scopeOf({ tenant_id: tenant, key_id: key, tag, route }: BudgetObject): string {
  const parts = [
    tenant !== null && `tenant ${tenant}`,
    key !== null && `key ${key}`,
    tag !== null && `tag ${tag.key}:${tag.value}`,
    route !== null && `route ${route}`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? 'everything' : parts.join(', ');
}

function Period({ budget }: { budget: BudgetObject }): VNode {
  const { period, timezone, usage } = budget;
  return html`<div><div>${period === 'total' ? 'in all' : `each ${period}`}</div>
    <div class="cell-sub">${
      usage.period_ends_at === null
        ? html`since <${When} at=${usage.period_starts_at} />`
        : html`until <${When} at=${usage.period_ends_at} />`
    }</div>
    ${timezone === 'UTC' || period === 'total' ? null : html`<div class="cell-sub">${timezone}</div>`}</div>`;
}

function State({ budget }: { budget: BudgetObject }): VNode {
  const { usage, alert_thresholds: thresholds } = budget;
  const last = usage.alerts.toSorted((left, right) => left.threshold - right.threshold).at(-1);
  const told = thresholds.length === 0 ? 'no alerts' : `alerts at ${thresholds.join(', ')} %`;
  const isSpent = usage.spent_nano_usd >= budget.limit_nano_usd;
  return html`<div>${
    isSpent
      ? html`<${Badge} tone="bad" icon="alert">used up</${Badge}>`
      : last
        ? html`<${Badge} tone="warn" icon="alert">past ${last.threshold} %</${Badge}>`
        : html`<${Badge} tone="good" icon="check">within</${Badge}>`
  }
    <div class="cell-sub">${last ? html`told <${When} at=${last.at} />` : told}</div></div>`;
}
