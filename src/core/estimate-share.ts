import type { EstimateCost, EstimateRefusedLine, EstimateShare } from '../protocol/estimate.ts';
import type { OutputTokens } from './estimate.ts';
import type { Failure } from './failure.ts';
import { formatUsd } from './money.ts';
import type { Unpriced } from './price-book.ts';
import { priceUsage } from './pricing.ts';
import type { FoundRates } from './rates.ts';

const REFUSED_SHOWN = 20;
const WARNINGS_MAX = 100;
const LEVELS = ['low', 'expected', 'high'] as const;

type Level = (typeof LEVELS)[number];
type Names = Pick<EstimateShare, 'provider' | 'model' | 'target' | 'mode'>;
type Basis = Pick<EstimateShare, 'input_basis' | 'output_basis'>;
export type EstimateFigures = Omit<EstimateShare, keyof Names | keyof Basis | 'lines_refused' | 'warnings'>;

interface Tokens extends OutputTokens {
  input: number;
}

/** What one target is estimated to do: filled line by line, from all its lines or an even sample of them. */
export class ShareTally {
  /** Lines that go here. */
  requests = 0;
  /** How many of them were looked at. */
  sampled = 0;
  /** How many of those looked at go elsewhere. */
  diverted = 0;
  readonly names: Names;
  /** What tokens are counted by, and what the length of answers is guessed from. */
  readonly basis: Basis;
  private refusedCount = 0;
  private readonly refused: EstimateRefusedLine[] = [];
  private readonly warnings = new Map<string, number>();
  /** By rates: the context tier differs from line to line. */
  private readonly sums = new Map<string, { found: FoundRates | Unpriced; tokens: Tokens }>();

  constructor(names: Names, basis: Basis = { input_basis: null, output_basis: null }) {
    this.names = names;
    this.basis = basis;
  }

  /** A line that the target takes. */
  add(input: number, output: OutputTokens, found: FoundRates | Unpriced, warnings: readonly string[]): void {
    this.sampled += 1;
    const key = 'unpriced' in found ? found.unpriced : `${found.price_version} ${found.rates.tier}`;
    const { tokens } = this.sums.get(key) ?? { tokens: { input: 0, low: 0, expected: 0, high: 0 } };
    tokens.input += input;
    for (const level of LEVELS) tokens[level] += output[level];
    this.sums.set(key, { found, tokens });
    for (const warning of new Set(warnings)) {
      const count = this.warnings.get(warning);
      if (count !== undefined || this.warnings.size < WARNINGS_MAX) this.warnings.set(warning, (count ?? 0) + 1);
    }
  }

  /** A line (1-based) that the target does not take. */
  refuse(line: number, customId: string, { code, message, param }: Failure): void {
    this.sampled += 1;
    this.refusedCount += 1;
    if (this.refused.length < REFUSED_SHOWN) this.refused.push({ line, custom_id: customId, code, message, param });
  }

  /** Takes the lines that go elsewhere out of the count; answers how many they are. */
  leave(): number {
    const looked = this.sampled + this.diverted;
    const leaving = looked === 0 ? 0 : Math.round((this.requests * this.diverted) / looked);
    this.requests -= leaving;
    this.diverted = 0;
    return leaving;
  }

  present(): EstimateShare {
    const scale = this.sampled === 0 ? 0 : this.requests / this.sampled;
    const warnings = [...this.warnings].map(([message, count]) => ({ message, count: Math.round(count * scale) }));
    return {
      ...this.names,
      ...this.basis,
      ...sumFigures([...this.sums.values()].map(({ found, tokens }) => figuresOf(found, tokens, scale))),
      requests: this.requests,
      refused_count: Math.round(this.refusedCount * scale),
      lines_refused: this.refused,
      warnings: warnings.sort((left, right) => right.count - left.count),
    };
  }
}

function figuresOf(found: FoundRates | Unpriced, tokens: Tokens, scale: number): EstimateFigures {
  const scaled = (count: number) => Math.round(count * scale);
  const input = scaled(tokens.input);
  const cost = emptyCost();
  let reason = 'unpriced' in found ? found.unpriced : null;
  if (!('unpriced' in found)) {
    for (const level of LEVELS) {
      const usage = { input_tokens: input, output_tokens: scaled(tokens[level]) };
      const priced = priceUsage({ usage, rates: found.rates, list_rates: found.list_rates });
      setAmounts(cost, level, priced.amount_nano, priced.list_amount_nano);
      reason ??= priced.unpriced_reason;
    }
  }
  return {
    requests: 0,
    refused_count: 0,
    input_tokens: input,
    output_tokens: { low: scaled(tokens.low), expected: scaled(tokens.expected), high: scaled(tokens.high) },
    cost,
    unpriced_reason: reason,
  };
}

/** Figures together. Amounts that are not known are left out of the sum, with the reason of the first; nothing used is free. */
export function sumFigures(parts: readonly EstimateFigures[]): EstimateFigures {
  const sum = (pick: (part: EstimateFigures) => number) => parts.reduce((total, part) => total + pick(part), 0);
  // What is free because nothing is sent does not make a sum of unknown amounts known.
  const used = parts.filter((part) => part.input_tokens + part.output_tokens.high > 0);
  const cost = emptyCost();
  for (const level of LEVELS) {
    const amounts = used.map((part) => part.cost[`${level}_nano_usd`]);
    const listAmounts = used.map((part) => part.cost[`list_${level}_nano_usd`]);
    setAmounts(cost, level, sumKnown(amounts), sumKnown(listAmounts));
  }
  return {
    requests: sum((part) => part.requests),
    refused_count: sum((part) => part.refused_count),
    input_tokens: sum((part) => part.input_tokens),
    output_tokens: {
      low: sum((part) => part.output_tokens.low),
      expected: sum((part) => part.output_tokens.expected),
      high: sum((part) => part.output_tokens.high),
    },
    cost,
    unpriced_reason: parts.find((part) => part.unpriced_reason !== null)?.unpriced_reason ?? null,
  };
}

/** null when there are amounts but none is known, or the sum is beyond what a number holds. */
function sumKnown(amounts: readonly (number | null)[]): number | null {
  if (amounts.length === 0) return 0;
  const known = amounts.filter((amount) => amount !== null);
  const sum = known.reduce((total, amount) => total + amount, 0);
  return known.length > 0 && Number.isSafeInteger(sum) ? sum : null;
}

function setAmounts(cost: EstimateCost, level: Level, amount: number | null, listAmount: number | null): void {
  cost[`${level}_nano_usd`] = amount;
  cost[`${level}_usd`] = formatUsd(amount);
  cost[`list_${level}_nano_usd`] = listAmount;
  cost[`list_${level}_usd`] = formatUsd(listAmount);
}

function emptyCost(): EstimateCost {
  return {
    low_nano_usd: null,
    low_usd: null,
    expected_nano_usd: null,
    expected_usd: null,
    high_nano_usd: null,
    high_usd: null,
    list_low_nano_usd: null,
    list_low_usd: null,
    list_expected_nano_usd: null,
    list_expected_usd: null,
    list_high_nano_usd: null,
    list_high_usd: null,
  };
}
