import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { fillsOf, type LedgerSummary, type Measure, ranked, toSeries } from '../accounts.ts';
import { withQuery } from '../api.ts';
import { formatCount, nowSeconds, roundUsd, shortCount, shortUsd } from '../format.ts';
import { html } from '../html.ts';
import { turnover } from '../live.ts';
import { Segments, Select, TextFilter } from '../parts/controls.ts';
import { GroupTable } from '../parts/group-table.ts';
import { Headline } from '../parts/headline.ts';
import { RunningBatches } from '../parts/running.ts';
import { Legend, StackChart } from '../parts/stack-chart.ts';
import { Answer, Empty } from '../parts/states.ts';
import { DEFAULT_PERIOD, PERIOD_CHOICES, type Period, periodOf, slotsOf } from '../period.ts';
import { type Query, useQuery } from '../query.ts';
import { query, setQuery } from '../router.ts';
import { tenantQuery } from '../tenant.ts';

const REFRESH_MS = 15_000;

const GROUPS = [
  { value: 'provider', label: 'provider' },
  { value: 'model', label: 'model' },
  { value: 'target', label: 'target' },
  { value: 'key', label: 'key' },
  { value: 'tag', label: 'tag' },
];

const MEASURES: { value: Measure; label: string }[] = [
  { value: 'amount_nano_usd', label: 'Spend' },
  { value: 'savings_nano_usd', label: 'Saved' },
  { value: 'requests', label: 'Requests' },
  { value: 'tokens', label: 'Tokens' },
];

/** Spend and savings over time, and what runs now. */
export function Overview(): VNode {
  const periodName = query.value.get('period') ?? DEFAULT_PERIOD;
  const period = periodOf(periodName, nowSeconds());
  return html`<div class="page">
    <div class="page-head">
      <div><h1 tabindex="-1">Overview</h1></div>
      <${Segments} label="Period" value=${periodName} choices=${PERIOD_CHOICES}
        onChange=${(value: string) => setQuery({ period: value === DEFAULT_PERIOD ? null : value })} />
    </div>
    <${Head} period=${period} />
    <${RunningBatches} />
    <${OverTime} period=${period} />
  </div>`;
}

function useSummary(period: Period, groupBy: string | null): Query<LedgerSummary> {
  const path =
    groupBy === null
      ? null
      : withQuery('/v1/ledger/summary', { from: period.from, group_by: groupBy, ...tenantQuery() });
  return useQuery<LedgerSummary>(path, { everyMs: REFRESH_MS, version: turnover.value });
}

function Head({ period }: { period: Period }): VNode {
  const byStatus = useSummary(period, 'status');
  return html`<${Answer} query=${byStatus} what="the sums" lines=${3}>${(summary: LedgerSummary) => html`<${Headline} summary=${summary} />`}</${Answer}>`;
}

function OverTime({ period }: { period: Period }): VNode {
  const group = query.value.get('by') ?? 'provider';
  const tag = query.value.get('tag') ?? '';
  const measure = (query.value.get('show') ?? 'amount_nano_usd') as Measure;
  const asked = group === 'tag' ? (tag === '' ? null : `tag:${tag}`) : group;
  const sums = useSummary(period, asked);
  const times = useSummary(period, asked === null ? null : `${period.unit},${asked}`);
  return html`<section class="section" aria-labelledby="over-time">
    <div class="section-head">
      <h2 id="over-time">Over time</h2>
      <div class="controls">
        <${Segments} label="Shown" value=${measure} choices=${MEASURES} onChange=${(value: string) => setQuery({ show: value === 'amount_nano_usd' ? null : value })} />
        <${Select} label="by" value=${group} choices=${GROUPS} onChange=${(value: string) => setQuery({ by: value === 'provider' ? null : value })} />
      </div>
    </div>
    ${group === 'tag' ? html`<${TextFilter} label="Tag name" value=${tag} placeholder="project" onChange=${(value: string) => setQuery({ tag: value })} />` : null}
    ${asked === null ? html`<${Empty} title="Name a tag"><p>Every metadata pair of a batch is a tag: its name is the key.</p></${Empty}>` : null}
    ${
      asked === null
        ? null
        : html`<${Answer} query=${sums} what="the account" lines=${6}>${(data: LedgerSummary) =>
            data.data.length === 0
              ? html`<${NothingYet} />`
              : html`<${Chart} sums=${data} times=${times.data} group=${group} measure=${measure} period=${period} />`}</${Answer}>`
    }
  </section>`;
}

function Chart({
  sums,
  times,
  group,
  measure,
  period,
}: {
  sums: LedgerSummary;
  times: LedgerSummary | null;
  group: string;
  measure: Measure;
  period: Period;
}): VNode {
  const rows = ranked(sums.data, measure);
  const fills = fillsOf(rows, group);
  const isMoney = measure === 'amount_nano_usd' || measure === 'savings_nano_usd';
  const format = isMoney ? shortUsd : shortCount;
  const series = useMemo(
    () => toSeries(times?.data ?? [], group, measure, period, fills),
    [times, sums, group, measure, period.from, period.unit],
  );
  const title = MEASURES.find(({ value }) => value === measure)?.label ?? '';
  return html`
    <${StackChart} label=${`${title} by ${group}`} slots=${slotsOf(period)} series=${series} format=${format}
      formatMark=${isMoney ? roundUsd : shortCount} />
    <${Legend} items=${series.map(({ name, fill }) => ({ name, fill }))} />
    <${GroupTable} rows=${rows} total=${sums.total} group=${group} fills=${fills} />
    <p class="small faint">${formatCount(sums.total.entries)} ledger entries. ${period.unit === 'day' ? 'Days are UTC days.' : 'Hours in your time zone.'}</p>`;
}

function NothingYet(): VNode {
  return html`<${Empty} title="Nothing was spent in this period">
    <p>Every attempt that reaches a provider becomes a ledger entry and shows up here. Send a first batch:</p>
    <pre>npx weir submit requests.jsonl --window immediate --watch</pre>
  </${Empty}>`;
}
