import type { EvalComparedItem } from '../../protocol/eval-compared-item.ts';

const NAMES = ['custom_id', 'id', 'name', 'task_id'] as const;

/** What to call an item: by what it calls itself, else by its place from 1. */
export function labelOfItem({
  datasource_item,
  datasource_item_id,
}: Pick<EvalComparedItem, 'datasource_item' | 'datasource_item_id'>): string {
  for (const name of NAMES) {
    const value = datasource_item[name];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
  }
  return `item ${datasource_item_id + 1}`;
}
