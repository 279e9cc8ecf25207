import type { Asker } from '../../../core/eval/request.ts';
import { type AskedLine, makeBatch, orFail } from './make-batch.ts';
import { next, type TargetWork, take } from './turn.ts';

const ITEMS_AT_ONCE = 200;

/** Asks a target all items, as a batch. */
export async function ask(work: TargetWork): Promise<void> {
  const asker = work.plan.askers[work.target.target];
  if (asker == null) throw new Error(`target ${work.target.target} of ${work.run.id} asks nothing`);
  await orFail(work, async () => {
    const place = { endpoint: asker.endpoint, config: work.target.spec.config };
    const batchId = await makeBatch(work, 'answers', place, () => linesOf(work, asker));
    await take(work, { to: { ...next('sampling'), batchId } });
  });
}

async function* linesOf({ deps, run }: TargetWork, asker: Asker): AsyncGenerator<AskedLine> {
  for (let from = 0; ; from += ITEMS_AT_ONCE) {
    const items = await deps.store.evals.items(run.id, from, ITEMS_AT_ONCE);
    for (const { item, row } of items) yield { id: `item-${item}`, body: asker.body(row.item) };
    if (items.length < ITEMS_AT_ONCE) return;
  }
}
