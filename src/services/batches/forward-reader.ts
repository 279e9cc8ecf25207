import type { ByteRange, FileStore } from '../../ports/files.ts';

const READ_AHEAD_BYTES = 128 * 1024;

/** Reads small ranges of an object that are asked for in order: one call of the file store serves many of them. */
export class ForwardReader {
  private readonly files: Pick<FileStore, 'readRange'>;
  private readonly key: string;
  private chunk = new Uint8Array(0);
  private start = 0;

  constructor(files: Pick<FileStore, 'readRange'>, key: string) {
    this.files = files;
    this.key = key;
  }

  /** The bytes of a range; valid until the next call. Throws FileMissing. */
  async read({ offset, length }: ByteRange): Promise<Uint8Array> {
    const end = offset + length;
    if (offset < this.start || end > this.start + this.chunk.byteLength) {
      const ahead = { offset, length: Math.max(length, READ_AHEAD_BYTES) };
      this.chunk = new Uint8Array(await this.files.readRange(this.key, ahead));
      this.start = offset;
    }
    return this.chunk.subarray(offset - this.start, end - this.start);
  }
}
