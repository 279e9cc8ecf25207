import { divideHalfEven } from '../money.ts';

/** Bills are finer than nano-dollars: 10^-18 USD each, so that they add up before they are rounded once. */
const DIGITS = 18;
const PER_NANO = 10n ** 9n;
const EXPONENT_MAX = 30;

/**
 * Atto-USD of a decimal as bills write it: `0.0000123450`, `1.2E-5`, `-3`; digits beyond the 18th are cut off. Null for
 * anything else.
 */
export function parseAtto(text: string): bigint | null {
  const match = /^([+-]?)(\d{1,30})?(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text.trim());
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  if (whole === '' && fraction === '') return null;
  const exponent = Number(power);
  if (Math.abs(exponent) > EXPONENT_MAX) return null;
  const shift = DIGITS + exponent - fraction.length;
  const digits = BigInt(whole + fraction);
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return sign === '-' ? -value : value;
}

/** Nano-USD, rounded half-even. */
export function attoToNano(atto: bigint): bigint {
  return divideHalfEven(atto, PER_NANO);
}
