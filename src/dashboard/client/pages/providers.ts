import type { VNode } from 'preact';
import type { ProviderObject } from '../../../protocol/route.ts';
import { formatCount, plural } from '../format.ts';
import { html } from '../html.ts';
import { Badge } from '../parts/badge.ts';
import { TextFilter } from '../parts/controls.ts';
import { Held } from '../parts/held.ts';
import { Answer, Empty } from '../parts/states.ts';
import { useQuery } from '../query.ts';
import { query, setQuery } from '../router.ts';
import { searchProviders } from './providers/search.ts';
import { Servers } from './providers/servers.ts';

const REFRESH_MS = 3_000;
const MODELS_SHOWN = 12;

/** Providers and pools: what they are, how they are doing. */
export function Providers(): VNode {
  const search = query.value.get('search') ?? '';
  const list = useQuery<{ data: ProviderObject[] }>('/v1/providers', { everyMs: REFRESH_MS });
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Providers and pools</h1>
      <div class="controls">
        <${TextFilter} label="Search" isLabelHidden value=${search} placeholder="Name, kind, model, server, health"
          onChange=${(value: string) => setQuery({ search: value })} />
      </div>
    </div>
    <${Answer} query=${list} what="providers" lines=${6}>${({ data }: { data: ProviderObject[] }) => {
      if (data.length === 0) return html`<${None} />`;
      const found = searchProviders(data, search);
      if (found.length === 0) return html`<${NoMatch} />`;
      return html`${search === '' ? null : html`<p class="small soft" role="status">${found.length} of ${plural(data.length, 'provider')}</p>`}
        ${found.map((provider) => html`<${Provider} key=${provider.name} provider=${provider} />`)}`;
    }}</${Answer}>
  </div>`;
}

function None(): VNode {
  return html`<${Empty} title="No provider is configured"><p>Name providers in <code>config/weir.yaml</code> and start the server again; <code>config/weir.example.yaml</code> shows every kind.</p></${Empty}>`;
}

function NoMatch(): VNode {
  return html`<${Empty} title="No provider matches"><p>No name, kind, model, server or health has this text.</p>
    <button type="button" class="button" onClick=${() => setQuery({ search: null })}>Show all providers</button></${Empty}>`;
}

const HEALTH = {
  healthy: { tone: 'good', icon: 'check', text: 'healthy' },
  unhealthy: { tone: 'bad', icon: 'alert', text: 'unhealthy' },
  unknown: { tone: 'idle', icon: 'question', text: 'not measured yet' },
} as const;

const ALERTS = {
  outside_hours: 'Outside its hours',
  needs_operator: 'Needs an operator',
  stuck: 'No progress for long',
  results_unread: 'Results cannot be read',
  submit_unknown: 'May have taken a batch',
};

function Provider({ provider }: { provider: ProviderObject }): VNode {
  const { limits } = provider;
  const { tone, icon, text } = HEALTH[provider.health];
  const bound = (limit: number | null, unit: string) =>
    limit === null ? null : html`<span class="tag">at most ${formatCount(limit)} ${unit}</span>`;
  const id = `provider-${provider.name}`;
  return html`<section class="section" aria-labelledby=${id}>
    <div class="section-head"><h2 id=${id}>${provider.name} <span class="faint small">${provider.kind}</span></h2><${Badge} tone=${tone} icon=${icon}>${text}</${Badge}></div>
    ${provider.models_error ? html`<p class="notice warn">Its list of models cannot be read: ${provider.models_error}</p>` : null}
    ${provider.alerts.map((alert, index) => html`<p class="notice warn" key=${index}>${ALERTS[alert.code]}${alert.reason ? ` (${alert.reason})` : ''}: ${plural(alert.shards, 'provider batch', 'provider batches')}</p>`)}
    <${Servers} provider=${provider} />
    ${provider.held.map(({ model, state, message }) => html`<${Held} key=${model} target=${model} state=${state} message=${message} />`)}
    ${provider.batch_open ? null : html`<p class="notice">Outside its hours: batch lines wait, or go elsewhere.</p>`}
    ${provider.calls_waiting > 0 ? html`<p class="small warn-text">${plural(provider.calls_waiting, 'call')} waiting for room</p>` : null}
    <div class="tags">${bound(limits.concurrency, 'at once')}${bound(limits.requests_per_minute, 'requests/min')}${bound(limits.tokens_per_minute, 'tokens/min')}
      ${provider.endpoints.map((endpoint) => html`<span class="tag" key=${endpoint}>${endpoint}</span>`)}</div>
    <p class="small soft">${provider.models.length === 0 ? 'Any model' : html`${plural(provider.models.length, 'model')}: ${provider.models.slice(0, MODELS_SHOWN).join(', ')}${provider.models.length > MODELS_SHOWN ? ' …' : ''}`}
      <span class="faint"> ${provider.models_from === 'unknown' ? '' : `(from the ${provider.models_from === 'config' ? 'config' : 'provider'})`}</span></p>
  </section>`;
}
