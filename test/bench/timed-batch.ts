import { chatLines, submit, type Weir, waitForBatch } from '../e2e/weir.ts';

/** Seconds from the create of a batch of `count` small lines to its end; throws when a line failed. */
export async function secondsOf(weir: Pick<Weir, 'client'>, count: number, config: string | object): Promise<number> {
  const file = await weir.client.files.create({ file: new File([chatLines(count)], 'b.jsonl'), purpose: 'batch' });
  const started = performance.now();
  const { id } = await weir.client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: 'immediate' as '24h',
    config,
  } as Parameters<typeof weir.client.batches.create>[0]);
  const ended = await waitForBatch(weir, id, { seconds: 120 });
  if (ended.request_counts?.completed !== count) throw new Error(`only ${JSON.stringify(ended.request_counts)}`);
  return (performance.now() - started) / 1000;
}

/** Lets gates find what their servers can take: they begin with few requests at once. */
export async function warmUp(weir: Pick<Weir, 'client'>, config: string | object, count: number): Promise<void> {
  await waitForBatch(weir, (await submit(weir, chatLines(count), { config })).id, { seconds: 120 });
}
