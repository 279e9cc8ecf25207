/** Routes of a chaos run that ask again after answers that do not serve: what their lines ask, and what becomes of them. */
import assert from 'node:assert/strict';
import { UNFIT_CODES } from '../../src/core/healing.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { HEALED_ROUTES } from './actions.ts';

/** Fewer tokens than any simulated answer has; raised, more. */
const SHORT = 4;
const LONG = 512;
const TAKEN = 'taken as it is';
/** Half of the simulated answers begin so. */
const BEGINS = '^[A-M]';
const ANSWER = { type: 'object', required: ['answer'], properties: { answer: { type: 'string', pattern: BEGINS } } };

/** Of the answers of one pool. */
export const REFUSAL_RATE = 0.15;

/** The rules of the routes whose answers are asked for again. */
export const HEALING = {
  on_truncation: { action: 'retry', max_tokens_factor: 16, attempts: 2, otherwise: 'accept' },
  on_invalid_json: { action: 'retry', to: 'next' },
  on_refusal: 'retry',
};
/** By cause, of one line. */
const RETRIES = { answer_truncated: 2, answer_invalid_json: 1, answer_refused: 1 };

export function isHealed(route: string): boolean {
  return HEALED_ROUTES.some((name) => name === route);
}

/** What the `index`th request of a route asks beside its text: some for less than it takes, some for JSON by a schema. */
export function healedBody(route: string, index: number): object {
  if (!isHealed(route)) return {};
  if (index % 3 === 0) return { max_tokens: SHORT };
  if (index % 3 === 1 || route === 'healed-native') return { max_tokens: LONG };
  const response_format = { type: 'json_schema', json_schema: { name: 'answer', schema: ANSWER } };
  return { max_tokens: LONG, response_format };
}

/** No answer that does not serve is a success, unless it is marked as what there is; each that was not taken is paid for. */
export function assertHealed(
  input: string,
  lines: readonly OutputLine[],
  entries: readonly LedgerEntryObject[],
  interruptions: number,
): void {
  const asked = input.trimEnd().split('\n');
  for (const { custom_id: key, response, error, weir } of lines) {
    const body = response?.body as { choices?: { message: { content: string | null } }[] } | undefined;
    const isMarked = weir.warnings.some((warning) => warning.includes(TAKEN));
    if (error !== null) {
      const hasAnswer = body?.choices !== undefined;
      assert(!UNFIT_CODES.includes(error.code) || hasAnswer, `${key}: ${error.code}, and the answer is not there`);
    } else if (!isMarked) {
      assert.equal(weir.finish_reason, 'stop', `${key} does not serve: ${JSON.stringify(weir)}`);
      const wantsJson = asked[weir.line - 1]?.includes('"response_format"');
      const content = body?.choices?.[0]?.message.content ?? '';
      if (wantsJson) assert.match((JSON.parse(content) as { answer: string }).answer, new RegExp(BEGINS), key);
    }
    const unfit = entries.filter(({ line, status }) => line === weir.line && status === 'superseded').filter(isUnfit);
    assert(
      unfit.every(({ amount_nano_usd: amount }) => amount !== null),
      `${key}: an answer has no price`,
    );
    for (const [code, most] of Object.entries(RETRIES)) {
      const tries = unfit.filter((entry) => entry.error_code === code).length;
      assert(tries <= most * (1 + interruptions), `${key}: ${tries} answers were not taken for ${code}`);
    }
  }
}

/** How many answers were asked for again because of what is wrong with those before, as the rules say, by request. */
export function retriesOf(entries: readonly LedgerEntryObject[]): Map<string, number> {
  const retries = new Map<string, number>();
  const unfit = entries.filter(({ status }) => status === 'superseded').filter(isUnfit);
  for (const [key, own] of Map.groupBy(unfit, ({ custom_id: id }) => id ?? '')) {
    const sum = Object.entries(RETRIES).reduce((total, [code, most]) => {
      return total + Math.min(most, own.filter((entry) => entry.error_code === code).length);
    }, 0);
    retries.set(key, sum);
  }
  return retries;
}

function isUnfit({ error_code: code }: LedgerEntryObject): boolean {
  return code !== null && UNFIT_CODES.includes(code);
}
