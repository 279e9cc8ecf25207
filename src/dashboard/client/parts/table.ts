import type { ComponentChildren, VNode } from 'preact';
import { html } from '../html.ts';
import { navigate } from '../router.ts';

export interface Column<Row> {
  name: string;
  /** Names the column where its head is hidden from view. */
  label?: string;
  cell: (row: Row, index: number) => ComponentChildren;
  kind?: 'number' | 'lead' | 'wide' | 'bare';
  /** What the column is sorted by, where it can be. */
  sort?: string;
}

export interface Sorting {
  by: string;
  order: 'asc' | 'desc';
  onChange: (by: string) => void;
}

/** A table that turns into cards on a phone. The whole row is a link where `href` says so; its first cell holds the link itself. */
export function Table<Row>({
  caption,
  columns,
  rows,
  rowKey,
  href,
  sorting,
  foot,
  onRow,
}: {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row, index: number) => string;
  href?: (row: Row) => string | null;
  sorting?: Sorting;
  foot?: readonly ComponentChildren[];
  onRow?: (row: Row) => void;
}): VNode {
  const open = (row: Row) => (event: MouseEvent) => {
    if ((event.target as Element).closest('a, button') || getSelection()?.toString()) return;
    const to = href?.(row);
    if (to) navigate(to);
    onRow?.(row);
  };
  const isLink = href !== undefined || onRow !== undefined;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table class="table rows">
      <caption class="hidden">${caption}</caption>
      <thead><tr>${columns.map((column) => html`<${Head} key=${column.name} column=${column} sorting=${sorting} />`)}</tr></thead>
      <tbody>${rows.map(
        (
          row,
          index,
        ) => html`<tr key=${rowKey(row, index)} class=${isLink ? 'link' : ''} onClick=${isLink ? open(row) : undefined}>
          ${columns.map((column) => html`<td key=${column.name} class=${column.kind ?? ''} data-label=${column.name}>${column.cell(row, index)}</td>`)}
        </tr>`,
      )}</tbody>
      ${foot ? html`<tfoot><tr>${foot.map((cell, index) => html`<td class=${columns[index]?.kind ?? ''} data-label=${columns[index]?.name}>${cell}</td>`)}</tr></tfoot>` : null}
    </table>
  </div>`;
}

function Head<Row>({ column, sorting }: { column: Column<Row>; sorting?: Sorting }): VNode {
  const kind = column.kind ?? '';
  const label = column.label ? html`<span class="hidden">${column.label}</span>` : column.name;
  if (!column.sort || !sorting) return html`<th scope="col" class=${kind}>${label}</th>`;
  const isActive = sorting.by === column.sort;
  const direction = sorting.order === 'asc' ? 'ascending' : 'descending';
  return html`<th scope="col" class=${kind} aria-sort=${isActive ? direction : undefined}>
    <button type="button" onClick=${() => sorting.onChange(column.sort ?? '')}>${label}${isActive ? (sorting.order === 'asc' ? ' ↑' : ' ↓') : ''}</button>
  </th>`;
}
