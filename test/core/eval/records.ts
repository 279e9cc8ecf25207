import type { ItemRecord, TargetRecords } from '../../../src/core/eval/item-record.ts';

/** A record of an item that was answered, graded and passed, but for what is said otherwise. */
export function record(fields: Partial<ItemRecord> = {}): ItemRecord {
  const passed = fields.passed === undefined ? true : fields.passed;
  return {
    item: 0,
    answered: true,
    score: passed === null ? null : Number(passed),
    valid: true,
    truncated: false,
    refused: false,
    latencyMs: null,
    inputTokens: 10,
    outputTokens: 5,
    costNano: 1_000,
    ...fields,
    passed,
  };
}

/** A target whose items passed (`1`), failed (`0`), could not be graded (`?`) or have no answer (`!`), in this order. */
export function targetOf(target: string, verdicts: string, costNano: number | null = 1_000): TargetRecords {
  const records = Array.from(verdicts, (verdict, index) =>
    record({
      item: index,
      costNano,
      answered: verdict !== '!',
      valid: verdict !== '!',
      passed: verdict === '1' ? true : verdict === '0' ? false : null,
      ...(verdict === '!' && { score: null }),
    }),
  );
  return { target, records };
}
