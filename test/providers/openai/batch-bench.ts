import { afterEach } from 'vitest';
import type { SimulatedBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { BatchSettingsChanges } from '../../../providers/sandbox/servers/openai-batch-settings.ts';
import { Bench } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { startBatchSubject } from './batch-subject.ts';

export const secret = 'sk-canary0123456789abcdef';
const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

/** Has something closed after the test, last opened first. */
export function closeLater(...closes: (() => Promise<void>)[]): void {
  closings.push(...closes);
}

/** A bench over OpenAI’s simulated service, and the service. */
export async function open(
  options: BatchSettingsChanges = {},
): Promise<{ bench: Bench; server: SimulatedBatchServer }> {
  let server: SimulatedBatchServer | undefined;
  const subject = await startBatchSubject({
    server: options,
    secret,
    model: 'gpt-4o-mini',
    create: (started) => {
      server = started;
      return createProvider('openai', { base_url: started.url, api_key: secret });
    },
  });
  const bench = new Bench(subject);
  closeLater(() => bench.close());
  if (server === undefined) throw new Error('not started');
  return { bench, server };
}

/** A bench whose provider talks to a server at `url`. */
export async function openAt(url: string): Promise<Bench> {
  const { bench } = await open();
  const provider = createProvider('openai', { base_url: url, api_key: secret });
  const other = new Bench({ ...bench.subject, provider, stop: async () => {} });
  closeLater(() => other.close());
  return other;
}
