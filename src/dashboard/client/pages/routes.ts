import type { VNode } from 'preact';
import type { NamedRoute, Route } from '../../../protocol/route.ts';
import { html } from '../html.ts';
import { Button } from '../parts/action.ts';
import { Badge } from '../parts/badge.ts';
import { Answer, Empty } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';
import { query, setQuery } from '../router.ts';
import { RouteEditor } from './routes/editor.ts';

interface Node {
  provider?: string | undefined;
  model?: string | undefined;
  name?: string | undefined;
  weight?: number | undefined;
  strategy?: Route['strategy'];
  targets?: Node[] | undefined;
}

const COLUMNS: Column<NamedRoute>[] = [
  {
    name: 'Route',
    kind: 'lead',
    cell: (route) =>
      html`<button type="button" class="text-button cell-main" onClick=${() => setQuery({ route: route.name })}>${route.name}</button>`,
  },
  {
    name: 'Strategy',
    cell: ({ config }) =>
      html`${config.strategy?.mode ?? 'single'}${config.strategy?.by ? html` <span class="faint">by ${config.strategy.by}</span>` : null}`,
  },
  {
    name: 'Targets',
    kind: 'wide',
    cell: ({ config }) =>
      html`<ul class="small">${leaves(config as Node).map((text, index) => html`<li key=${index}>${text}</li>`)}</ul>`,
  },
  {
    name: 'From',
    cell: (route) =>
      route.source === 'config'
        ? html`<${Badge} tone="idle" icon="stop">config file</${Badge}>`
        : html`<${Badge} tone="run" icon="run">stored</${Badge}>`,
  },
];

/** Routes: see them, change the stored ones, try a line. */
export function Routes(): VNode {
  const list = useQuery<{ data: NamedRoute[] }>('/v1/routes');
  const chosen = query.value.get('route');
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Routes</h1><${Button} kind="primary" onClick=${() => setQuery({ route: '', new: '1' })}>New route</${Button}></div>
    <${Answer} query=${list} what="routes" lines=${4}>${({ data }: { data: NamedRoute[] }) => {
      const route = data.find(({ name }) => name === chosen) ?? null;
      const isOpen = route !== null || query.value.get('new') !== null;
      return html`
        ${
          data.length === 0
            ? html`<${Empty} title="No routes yet"><p>A route divides requests over providers and says what happens when one fails. Without one, each line’s <code>model</code> finds its target.</p></${Empty}>`
            : html`<${Table} caption="Routes" columns=${COLUMNS} rows=${data} rowKey=${(row: NamedRoute) => row.name} onRow=${(row: NamedRoute) => setQuery({ route: row.name, new: null })} />`
        }
        ${
          isOpen
            ? html`<${RouteEditor} key=${route?.name ?? 'new'} route=${route} onSaved=${(name: string | null) => {
                list.reload();
                setQuery({ route: name, new: null });
              }} onClose=${() => setQuery({ route: null, new: null })} />`
            : null
        }`;
    }}</${Answer}>
  </div>`;
}

/** The targets of a route as lines of text. */
function leaves(node: Node, depth = 0): string[] {
  const weight = node.weight === undefined ? '' : ` · weight ${node.weight}`;
  if (!node.targets)
    return [
      `${'  '.repeat(depth)}${[node.provider, node.model].filter(Boolean).join('/') || (node.name ?? 'target')}${weight}`,
    ];
  return node.targets.flatMap((target) => leaves(target, depth + 1));
}
