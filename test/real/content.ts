export const mebibyte = 1024 * 1024;

/** Bytes that differ everywhere, so that anything lost, doubled or moved shows. */
export function content(bytes: number): Buffer {
  const buffer = Buffer.alloc(Math.ceil(bytes / 4) * 4);
  for (let index = 0; index < buffer.length; index += 4) buffer.writeUInt32LE((index * 2_654_435_761) >>> 0, index);
  return buffer.subarray(0, bytes);
}

/** The same bytes as a stream, in pieces that fit no part; `failAt`: it breaks there. */
export async function* streamed(bytes: Buffer, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 300_007) {
    if (at >= failAt) throw new Error('the source broke');
    yield bytes.subarray(at, at + 300_007);
  }
}

/** Does `work` for each number below `count`, a few at a time. */
export async function forEachBelow(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  async function take(): Promise<void> {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  }
  await Promise.all(Array.from({ length: 16 }, take));
}
