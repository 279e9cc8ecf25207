/**
 * Money is a whole number of nano-dollars (1 USD = 10^9). Inside the arithmetic it is a `bigint`; stored and sent it is
 * a safe integer. Floating point never touches it.
 */
const nanoDigits = 9;
const unitsPerRate = 1_000_000n;

/** Nano-USD of an exact decimal string such as `0.075`. Throws RangeError on anything else, or beyond nine decimals. */
export function parseUsdToNano(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`not a decimal amount of USD: ${JSON.stringify(text)}`);
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  if (fraction.length > nanoDigits) throw new RangeError(`finer than a nano-dollar: ${JSON.stringify(text)}`);
  const nano = BigInt(`${match[2]}${fraction.padEnd(nanoDigits, '0')}`);
  return match[1] === '-' ? -nano : nano;
}

/** Exact decimal string of nano-USD, without trailing zeros: 1234 → `0.000001234`, 10^9 → `1`, null → null. */
export function formatUsd(nano: bigint | number | null): string | null {
  if (nano === null) return null;
  if (typeof nano === 'number' && !Number.isSafeInteger(nano)) {
    throw new RangeError(`not a whole number of nano-dollars: ${nano}`);
  }
  const value = BigInt(nano);
  const digits = (value < 0n ? -value : value).toString().padStart(nanoDigits + 1, '0');
  const fraction = digits.slice(-nanoDigits).replace(/0+$/, '');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -nanoDigits)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** n ÷ d to the nearest integer, ties to the even one; both signs. Throws RangeError when d is zero. */
export function divideHalfEven(n: bigint, d: bigint): bigint {
  if (d === 0n) throw new RangeError('division by zero');
  const divisor = d < 0n ? -d : d;
  const dividend = d < 0n ? -n : n;
  let quotient = dividend / divisor;
  let remainder = dividend % divisor;
  if (remainder < 0n) {
    // Floor division, so that the remainder is the distance above the lower neighbour.
    remainder += divisor;
    quotient -= 1n;
  }
  const twice = remainder * 2n;
  const roundsUp = twice > divisor || (twice === divisor && quotient % 2n !== 0n);
  return roundsUp ? quotient + 1n : quotient;
}

/** Nano-USD for `count` units at `rateNanoPerMillion` nano-USD per million units, rounded half-even once. */
export function amountFor(count: number | bigint, rateNanoPerMillion: number | bigint): bigint {
  return divideHalfEven(BigInt(count) * BigInt(rateNanoPerMillion), unitsPerRate);
}

/**
 * `amountFor` of counts and rates that are not negative, as the number that is stored; null beyond 2^53 − 1. Products
 * that a double holds exactly need no bigint.
 */
export function safeAmountFor(count: number, rateNanoPerMillion: number): number | null {
  const product = count * rateNanoPerMillion;
  if (!Number.isSafeInteger(product)) {
    const amount = amountFor(count, rateNanoPerMillion);
    return amount > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(amount);
  }
  const remainder = product % 1_000_000;
  const quotient = (product - remainder) / 1_000_000;
  const roundsUp = remainder > 500_000 || (remainder === 500_000 && quotient % 2 !== 0);
  return roundsUp ? quotient + 1 : quotient;
}

/** The number that is stored: throws RangeError beyond 2^53 − 1, where a number would no longer be exact. */
export function toSafeInteger(nano: bigint): number {
  const value = Number(nano);
  if (!Number.isSafeInteger(value)) throw new RangeError(`amount of ${nano} nano-dollars is too large to be stored`);
  return value;
}
