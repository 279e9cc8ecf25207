import type { VNode } from 'preact';
import { html } from '../html.ts';

/** Steps through the pages of a list that is read by cursor. `page` counts from 0. */
export function Pager({
  hasMore,
  page,
  onNext,
  onPrevious,
}: {
  hasMore: boolean;
  page: number;
  onNext: () => void;
  onPrevious: () => void;
}): VNode | null {
  if (!hasMore && page === 0) return null;
  return html`<div class="pager"><span>Page ${page + 1}</span><div class="controls">
    <button type="button" class="button small" disabled=${page === 0} onClick=${onPrevious}>Previous</button>
    <button type="button" class="button small" disabled=${!hasMore} onClick=${onNext}>Next</button></div></div>`;
}
