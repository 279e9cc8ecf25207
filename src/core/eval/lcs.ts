/**
 * Length of the longest common subsequence, 32 places at a time (H. Hyyrö, "Bit-parallel LCS-length computation
 * revisited", 2004): a bit of `row` is 0 where the subsequence grows.
 */
export function lcsLength(left: readonly string[], right: readonly string[]): number {
  const size = Math.ceil(left.length / 32);
  const places = new Map<string, Uint32Array>();
  for (const [index, token] of left.entries()) {
    const mask = places.get(token) ?? new Uint32Array(size);
    mask[index >>> 5] = (mask[index >>> 5] ?? 0) | (1 << (index & 31));
    places.set(token, mask);
  }
  const row = new Uint32Array(size).fill(0xffff_ffff);
  for (const token of right) {
    const mask = places.get(token);
    if (mask === undefined) continue;
    let carry = 0;
    for (let word = 0; word < size; word += 1) {
      const value = row[word] ?? 0;
      const common = (value & (mask[word] ?? 0)) >>> 0;
      const sum = value + common + carry;
      carry = sum > 0xffff_ffff ? 1 : 0;
      row[word] = (sum | (value & ~common)) >>> 0;
    }
  }
  let length = 0;
  for (let index = 0; index < left.length; index += 1) {
    if (((row[index >>> 5] ?? 0) & (1 << (index & 31))) === 0) length += 1;
  }
  return length;
}
