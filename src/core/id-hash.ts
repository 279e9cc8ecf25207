/**
 * A keyed 64-bit hash of ids: with a random key nobody can choose ids that collide, and among ten million others hardly
 * two do by chance. The two halves are left in `high` and `low`, unsigned and never both 0.
 */
export class IdHash {
  high = 0;
  low = 0;
  private readonly key0: number;
  private readonly key1: number;
  private readonly mask: number;
  private units = new Uint16Array(1_024);

  /** `key`: 8 random bytes. `bits`, when given, are all that is kept: for tests, in which ids are to collide. */
  constructor(key: Uint8Array, bits = 32) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.key0 = view.getUint32(0, true) | 0;
    this.key1 = view.getUint32(4, true) | 0;
    this.mask = bits === 32 ? -1 : 2 ** bits - 1;
  }

  ofText(text: string): void {
    const units = this.room(text.length);
    for (let index = 0; index < text.length; index++) units[index] = text.charCodeAt(index);
    this.hash(text.length);
  }

  /** The same as of the text that stands from `from` to `to` in `bytes`, in ASCII. */
  ofAscii(bytes: Uint8Array, from: number, to: number): void {
    const units = this.room(to - from);
    for (let index = from; index < to; index++) units[index - from] = bytes[index] as number;
    this.hash(to - from);
  }

  private room(length: number): Uint16Array {
    if (this.units.length < length) this.units = new Uint16Array(length * 2);
    return this.units;
  }

  /** HalfSipHash-1-3 with 64 bits of output, over the UTF-16 units. Source: github.com/veorq/SipHash. */
  private hash(length: number): void {
    const { units, key0, key1 } = this;
    let v0 = key0;
    let v1 = key1 ^ 0xee;
    let v2 = key0 ^ 0x6c796765;
    let v3 = key1 ^ 0x74656462;
    let low = 0;
    const words = length >> 1;
    // One round for each word of two units and for the last, three for each half of the output.
    for (let index = 0; index <= words + 6; index++) {
      let word = 0;
      if (index < words) word = (units[index * 2] as number) | ((units[index * 2 + 1] as number) << 16);
      else if (index === words) word = (length << 25) | (length & 1 ? (units[length - 1] as number) : 0);
      else if (index === words + 1) v2 ^= 0xee;
      else if (index === words + 4) {
        low = v1 ^ v3;
        v1 ^= 0xdd;
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    this.high = this.mask === -1 ? (v1 ^ v3) >>> 0 : 0;
    this.low = (low & this.mask) >>> 0;
    // Both 0 says that there is no id.
    if (this.high === 0 && this.low === 0) this.low = 1;
  }
}
