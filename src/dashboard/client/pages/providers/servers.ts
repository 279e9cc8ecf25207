import type { VNode } from 'preact';
import type { ProviderObject } from '../../../../protocol/route.ts';
import { formatCount, percent } from '../../format.ts';
import { html } from '../../html.ts';
import { Badge } from '../../parts/badge.ts';
import { Count } from '../../parts/figures.ts';
import { type Column, Table } from '../../parts/table.ts';

type Member = ProviderObject['members'][number];

const HEALTH = {
  healthy: { tone: 'good', icon: 'check', text: 'healthy' },
  unhealthy: { tone: 'bad', icon: 'alert', text: 'unhealthy' },
  wrong_model: { tone: 'bad', icon: 'alert', text: 'serves another model' },
  unknown: { tone: 'idle', icon: 'question', text: 'not measured yet' },
} as const;

const BREAKER = { closed: null, open: 'left alone after failures', probing: 'tried again' };

/** The servers of a provider: what each holds, takes and answers now. */
export function Servers({ provider }: { provider: ProviderObject }): VNode | null {
  const { members } = provider;
  if (members.length === 0) return null;
  const hasLoad = members.some(({ load }) => load !== null);
  const columns: Column<Member>[] = [
    { name: 'Server', kind: 'lead', cell: (member) => html`<span class="mono">${member.name}</span>` },
    { name: 'Health', cell: healthOf },
    {
      name: 'In flight',
      kind: 'wide',
      cell: ({
        in_flight: now,
        limit,
      }) => html`<span class="share"><span class="nowrap">${formatCount(now)} / ${formatCount(limit)}</span>
        <i style=${{ width: `${limit === 0 ? 0 : Math.min(100, (now / limit) * 100)}%` }}></i></span>`,
    },
    {
      name: 'Latency',
      kind: 'number',
      cell: ({ latency_ms: ms }) =>
        ms === null ? html`<span class="faint">–</span>` : `${formatCount(Math.round(ms))} ms`,
    },
    { name: 'Answered', kind: 'number', cell: ({ answered }) => html`<${Count} value=${answered} />` },
    {
      name: 'Failed',
      kind: 'number',
      cell: ({ failed }) => html`<span class=${failed > 0 ? 'bad-text' : 'faint'}><${Count} value=${failed} /></span>`,
    },
    ...(hasLoad ? LOAD : []),
  ];
  return html`<${Table} caption=${`Servers of ${provider.name}`} columns=${columns} rows=${members} rowKey=${(member: Member) => member.name} />`;
}

const figure = (value: number | null | undefined, show: (value: number) => string) =>
  value === null || value === undefined ? html`<span class="faint">–</span>` : show(value);

/** What servers tell of themselves. */
const LOAD: Column<Member>[] = [
  { name: 'Waiting', kind: 'number', cell: ({ load }) => figure(load?.waiting, formatCount) },
  { name: 'Cache used', kind: 'number', cell: ({ load }) => figure(load?.cache_usage, percent) },
  { name: 'Prefix hits', kind: 'number', cell: ({ load }) => figure(load?.prefix_hit_rate, percent) },
];

function healthOf(member: Member): VNode {
  const { tone, icon, text } = HEALTH[member.health];
  const breaker = BREAKER[member.breaker];
  return html`<${Badge} tone=${tone} icon=${icon}>${text}</${Badge}>
    ${member.health_reason ? html`<div class="cell-sub">${member.health_reason}</div>` : null}
    ${breaker ? html`<div class="cell-sub warn-text">${breaker}</div>` : null}`;
}
