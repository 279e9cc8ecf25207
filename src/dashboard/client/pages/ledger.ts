import type { VNode } from 'preact';
import { fillsOf, type LedgerSummary, ranked, type SummaryRow } from '../accounts.ts';
import { withQuery } from '../api.ts';
import { download } from '../download.ts';
import { formatCount, nowSeconds } from '../format.ts';
import { html } from '../html.ts';
import { turnover } from '../live.ts';
import { Button, useAction } from '../parts/action.ts';
import { Segments, Select, TextFilter } from '../parts/controls.ts';
import { GroupTable } from '../parts/group-table.ts';
import { Headline } from '../parts/headline.ts';
import { Answer, Empty, Failure } from '../parts/states.ts';
import { DEFAULT_PERIOD, PERIOD_CHOICES, periodOf } from '../period.ts';
import { useQuery } from '../query.ts';
import { query, setQuery } from '../router.ts';
import { tenantQuery } from '../tenant.ts';
import { Entries } from './ledger/entries.ts';

const FILTERS = ['provider', 'model', 'batch', 'key', 'status', 'tag'] as const;
const GROUPS = ['provider', 'model', 'target', 'key', 'status', 'batch', 'day', 'hour'];
const STATUSES = ['', 'succeeded', 'failed', 'unknown', 'superseded'];
const EXPORTS = [
  ['csv', 'CSV'],
  ['jsonl', 'JSONL'],
  ['parquet', 'Parquet'],
] as const;
const REFRESH_MS = 30_000;

const asChoices = (values: readonly string[]) =>
  values.map((value) => ({ value, label: value === '' ? 'any' : value }));
const choosePeriods = [...PERIOD_CHOICES, { value: 'all', label: 'All time' }];

/** The account: filter, group, look at single entries, export. */
export function Ledger(): VNode {
  const read = (name: string, fallback = '') => query.value.get(name) ?? fallback;
  const periodName = read('period', DEFAULT_PERIOD);
  const view = read('view', 'sums');
  const group = read('by', 'provider');
  const from = periodName === 'all' ? null : periodOf(periodName, nowSeconds()).from;
  const filter = {
    from,
    ...Object.fromEntries(FILTERS.map((name) => [name, read(name)])),
    ...tenantQuery(),
  };
  const byStatus = useQuery<LedgerSummary>(withQuery('/v1/ledger/summary', { ...filter, group_by: 'status' }), {
    everyMs: REFRESH_MS,
    version: turnover.value,
  });
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Ledger</h1>
      <${Segments} label="Period" value=${periodName} choices=${choosePeriods} onChange=${(value: string) => setQuery({ period: value === DEFAULT_PERIOD ? null : value })} /></div>
    <${Filters} read=${read} />
    <${Answer} query=${byStatus} what="the sums" lines=${3}>${(summary: LedgerSummary) => html`<${Headline} summary=${summary} />`}</${Answer}>
    <section class="section" aria-label="Account">
      <div class="section-head">
        <div class="controls">
          <${Segments} label="View" value=${view} choices=${[
            { value: 'sums', label: 'Sums' },
            { value: 'entries', label: 'Entries' },
          ]} onChange=${(value: string) => setQuery({ view: value === 'sums' ? null : value })} />
          ${view === 'sums' ? html`<${Select} label="by" value=${group} choices=${asChoices(GROUPS)} onChange=${(value: string) => setQuery({ by: value === 'provider' ? null : value })} />` : null}
        </div>
        <${Export} path=${view === 'sums' ? withQuery('/v1/ledger/summary', { ...filter, group_by: group }) : withQuery('/v1/ledger/entries', filter)} name=${`ledger-${view}`} />
      </div>
      ${view === 'sums' ? html`<${Sums} filter=${filter} group=${group} />` : html`<${Entries} filter=${filter} />`}
    </section>
  </div>`;
}

function Filters({ read }: { read: (name: string) => string }): VNode {
  const isFiltered = FILTERS.some((name) => read(name) !== '');
  const field = (name: string, label: string, placeholder: string) =>
    html`<${TextFilter} label=${label} value=${read(name)} placeholder=${placeholder} onChange=${(value: string) => setQuery({ [name]: value })} />`;
  return html`<div class="filters" role="search" aria-label="Filters">
    ${field('provider', 'Provider', 'any')} ${field('model', 'Model', 'any')} ${field('batch', 'Batch', 'batch_…')}
    ${field('key', 'Key', 'key_…')} ${field('tag', 'Tag', 'name:value')}
    <label class="field"><span>Status</span><select class="select" value=${read('status')} onChange=${(event: Event) => setQuery({ status: (event.currentTarget as HTMLSelectElement).value })}>
      ${STATUSES.map((status) => html`<option key=${status} value=${status} selected=${status === read('status')}>${status === '' ? 'any' : status}</option>`)}</select></label>
    ${isFiltered ? html`<button type="button" class="button quiet" onClick=${() => setQuery(Object.fromEntries(FILTERS.map((name) => [name, null])))}>Clear</button>` : null}
  </div>`;
}

function Sums({ filter, group }: { filter: Record<string, string | number | null>; group: string }): VNode {
  const sums = useQuery<LedgerSummary>(withQuery('/v1/ledger/summary', { ...filter, group_by: group }), {
    everyMs: REFRESH_MS,
    version: turnover.value,
  });
  const isTime = group === 'day' || group === 'hour';
  return html`<${Answer} query=${sums} what="the account" lines=${6}>${({ data, total }: LedgerSummary) => {
    if (data.length === 0)
      return html`<${Empty} title="No entries"><p>Nothing matches these filters in this period.</p></${Empty}>`;
    const rows: SummaryRow[] = isTime ? data.toReversed() : ranked(data, 'amount_nano_usd');
    return html`<${GroupTable} rows=${rows} total=${total} group=${group} fills=${isTime ? null : fillsOf(rows, group)} />
      <p class="small faint">${formatCount(total.entries)} entries in ${formatCount(data.length)} groups</p>`;
  }}</${Answer}>`;
}

function Export({ path, name }: { path: string; name: string }): VNode {
  const action = useAction();
  const save = (format: string) => () =>
    action.run(() => download(`${path}${path.includes('?') ? '&' : '?'}format=${format}`, `${name}.${format}`));
  return html`<div class="controls">${EXPORTS.map(([format, label]) => html`<${Button} key=${format} kind="small" onClick=${save(format)}>Export ${label}</${Button}>`)}
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}</div>`;
}
