import type { VNode } from 'preact';
import type { ApiFailure } from '../api.ts';
import { html } from '../html.ts';
import type { Query } from '../query.ts';

/** Grey lines in place of what is on its way. */
export function Loading({ lines = 4, what }: { lines?: number; what: string }): VNode {
  const widths = [92, 100, 78, 96, 85, 70];
  return html`<div class="skeleton" role="status">
    <span class="hidden">Loading ${what}…</span>
    ${Array.from({ length: lines }, (_, index) => html`<span key=${index} style=${{ width: `${widths[index % 6]}%` }}></span>`)}
  </div>`;
}

/** What went wrong, and a way to try again. */
export function Failure({ failure, retry }: { failure: ApiFailure; retry?: () => void }): VNode {
  return html`<div class="notice bad" role="alert">
    <p>${failure.message}</p>
    ${retry ? html`<button type="button" class="button small" onClick=${retry}>Try again</button>` : null}
  </div>`;
}

export function Empty({ title, children }: { title: string; children?: unknown }): VNode {
  return html`<div class="empty"><h3>${title}</h3>${children}</div>`;
}

/** The three states of an answer: on its way, failed, there. A failed refresh keeps what was there, and says so. */
export function Answer<T>({
  query,
  what,
  lines,
  children,
}: {
  query: Query<T>;
  what: string;
  lines?: number;
  children: (data: T) => unknown;
}): VNode {
  const { data, failure } = query;
  return html`${failure ? html`<${Failure} failure=${failure} retry=${query.reload} />` : null}
    ${data !== null ? children(data) : failure ? null : html`<${Loading} what=${what} lines=${lines} />`}`;
}
