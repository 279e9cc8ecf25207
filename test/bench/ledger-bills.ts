/** The month beside what five providers bill for it. */
import type { Provider } from '../../providers/contract.ts';
import { type Reconciliations, reconciliationsSchema } from '../../src/protocol/reconciliation.ts';
import type { Harness } from '../http/harness.ts';
import { makeProvider } from '../services/model-server.ts';
import { type BilledDay, MONTH_PROVIDERS } from './ledger-month.ts';

/** The providers that the month's entries name, as the config would have them. */
export function monthProviders(): Map<string, Provider> {
  return new Map(
    MONTH_PROVIDERS.map((name) => makeProvider(name, { kind: 'vllm', base_urls: ['http://127.0.0.1:1'] })),
  );
}

/** Reconciles each provider's month. `isExact`: ledger, explained and unexplained add up to every bill. */
export async function reconcileMonth(
  harness: Harness,
  bills: ReadonlyMap<string, ReadonlyMap<string, BilledDay>>,
): Promise<{ unexplained: bigint; isExact: boolean; ms: number; found: Reconciliations['data'] }> {
  const found: Reconciliations['data'] = [];
  const start = performance.now();
  for (const [provider, days] of bills) {
    const billed = [...days].map(([day, { inputTokens, outputTokens, femtoUsd }]) => ({
      day,
      model: 'mini-2026-01-01',
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      amount_usd: `${femtoUsd}e-15`,
    }));
    const json = { from: '2026-10-01', to: '2026-11-01', providers: [provider], billed };
    const answer = await harness.send('POST', '/v1/ledger/reconciliations', { json });
    if (answer.status !== 200) throw new Error(await answer.text());
    found.push(...reconciliationsSchema.parse(await answer.json()).data);
  }
  const ms = performance.now() - start;
  const sum = (pick: (each: Reconciliations['data'][number]) => number) =>
    found.reduce((total, each) => total + BigInt(pick(each)), 0n);
  const isExact = found.every(
    (each) =>
      BigInt(each.ledger_nano_usd) + BigInt(each.explained_nano_usd) + BigInt(each.unexplained_nano_usd) ===
      BigInt(each.billed_nano_usd),
  );
  // Amounts of either sign must not cancel out.
  return { unexplained: sum((each) => Math.abs(each.unexplained_nano_usd)), isExact, ms, found };
}
