import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { ApiError } from '../core/api-error.ts';
import { Delimiters } from './delimiters.ts';
import type { BodyReader, FormSource } from './upload-body.ts';

const limits = { files: 1, fields: 32, parts: 40, fieldSize: 8_192, headerPairs: 32, headerSize: 16_384 };

export interface FormOptions {
  /** The field that holds the file, with or without a filename. */
  fileField: string;
  /** A body that declares more is refused at once. */
  maxBytes: number;
  /** What a body of more than `maxBytes` is answered with. */
  tooLarge: () => ApiError;
  /** How long the client may send nothing. */
  idleMs?: number;
}

export interface Form {
  file: { filename: string; content: AsyncIterable<Uint8Array> };
  /** The text fields that stood before the file. */
  early: ReadonlyMap<string, string>;
  /** Every text field; waits for the end of the form, so the content must be read first. Throws ApiError. */
  fields(): Promise<ReadonlyMap<string, string>>;
  /** Ends the reading. To be called however the form was used. */
  close(): Promise<void>;
}

const defaultIdleMs = 60_000;
/** Many clients look for an answer only when they have sent everything: a refused body is read on for this long. */
const lingerMs = 10_000;

/**
 * Reads a multipart form as it streams in, up to its file: the parts may have any order. Throws ApiError 400 when it
 * is no such form or has no file, 413 when it is declared too large. Nothing of the file is kept in memory.
 */
export async function openForm(source: FormSource, options: FormOptions): Promise<Form> {
  const reader = new FormReader(source, options);
  try {
    const file = await reader.start();
    return { file, early: new Map(reader.fields), fields: () => reader.finished(), close: () => reader.close() };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

class FormReader {
  readonly fields = new Map<string, string>();
  readonly #source: FormSource;
  readonly #options: FormOptions;
  readonly #opened = Promise.withResolvers<Form['file']>();
  readonly #ended = Promise.withResolvers<void>();
  #failure: Error | null = null;
  #file: Readable | null = null;
  /** While the parser need not see all of the file; null when it sees everything. */
  #delimiters: Delimiters | null;
  /** Bytes of the file that pass the parser by, until the file's reader has taken them. */
  #passing: Uint8Array | null = null;
  #wakeReader: () => void = () => undefined;
  /** Settles what is held back until the file is read. */
  #release: (() => void) | null = null;
  #pumping: Promise<void> = Promise.resolve();
  #state: 'open' | 'ended' | 'closed' = 'open';
  #closedAt = 0;
  /** Rejects the read that is going on. */
  #late: () => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = 0;

  constructor(source: FormSource, options: FormOptions) {
    this.#source = source;
    this.#options = options;
    this.#delimiters = Delimiters.of(source.contentType);
    // Whoever waits sees the failure; nobody has to.
    this.#opened.promise.catch(() => undefined);
    this.#ended.promise.catch(() => undefined);
  }

  start(): Promise<Form['file']> {
    const { body, contentType, contentLength } = this.#source;
    if (!/^multipart\/form-data\s*;.*boundary=/i.test(contentType) || body === null) {
      const message = "The body must be a multipart form. Set Content-Type to 'multipart/form-data' with a boundary.";
      throw new ApiError(400, message, { code: 'invalid_form' });
    }
    if (contentLength > this.#options.maxBytes) throw this.#options.tooLarge();
    this.#pumping = this.#pump(body, this.#parser(contentType));
    return this.#opened.promise;
  }

  async finished(): Promise<ReadonlyMap<string, string>> {
    await this.#ended.promise;
    return this.fields;
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#fail(new Error('the form was closed'));
    this.#state = this.#state === 'ended' ? 'ended' : 'closed';
    this.#closedAt = Date.now();
    await this.#pumping;
    const { body } = this.#source;
    if (body !== null && this.#state === 'closed') await this.#linger(body);
    clearTimeout(this.#timer);
    this.#state = 'ended';
    body?.release?.();
  }

  #parser(contentType: string): BusboyInstance {
    const isFile = (name: string | undefined, _type: string | undefined, filename: string | undefined): boolean =>
      name === this.#options.fileField || filename !== undefined;
    let parser: BusboyInstance;
    try {
      parser = new Busboy({
        headers: { 'content-type': contentType },
        limits,
        isPartAFile: isFile,
        preservePath: true,
      });
    } catch {
      throw new ApiError(400, 'The Content-Type of the form names no boundary.', { code: 'invalid_form' });
    }
    parser.on('field', (name, value, _nameTruncated, valueTruncated) => {
      if (valueTruncated) this.#fail(badForm(`The field ${quote(name)} is longer than ${limits.fieldSize} bytes.`));
      else this.fields.set(String(name), value);
    });
    parser.on('file', (name, stream, filename: string | undefined) => {
      this.#file = stream;
      // Until it is read, an error of the stream has no listener, and would end the process.
      stream.on('error', () => undefined);
      if (name !== this.#options.fileField) {
        this.#fail(badForm(`The form has a file ${quote(name)}. Send the file as '${this.#options.fileField}'.`));
      } else this.#opened.resolve({ filename: filename ?? 'upload', content: this.#content(stream) });
    });
    parser.on('filesLimit', () => this.#fail(badForm('The form has several files. Send one file a request.')));
    parser.on('fieldsLimit', () => this.#fail(badForm(`The form has more than ${limits.fields} fields.`)));
    parser.on('partsLimit', () => this.#fail(badForm(`The form has more than ${limits.parts} parts.`)));
    parser.on('error', () => this.#fail(badForm('The form is cut short or malformed. Send it again.')));
    parser.on('finish', () => this.#finish());
    return parser;
  }

  #finish(): void {
    if (this.#state !== 'open') return;
    if (this.#file === null) {
      const message = `Missing required parameter: '${this.#options.fileField}'. Send the file as a part of that name.`;
      this.#fail(new ApiError(400, message, { code: 'missing_required_parameter', param: this.#options.fileField }));
      return;
    }
    this.#state = 'ended';
    this.#ended.resolve();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#opened.reject(this.#failure);
    this.#ended.reject(this.#failure);
    this.#file?.destroy(this.#failure);
    this.#release?.();
    this.#wakeReader();
  }

  /** The file: what the parser gives of it, and what passes the parser by, which comes later than all that it gave before. */
  async *#content(stream: Readable): AsyncGenerator<Uint8Array> {
    for (const event of ['readable', 'end', 'close']) stream.on(event, () => this.#wakeReader());
    for (;;) {
      // An aborted stream may end like a whole one.
      if (this.#failure !== null) throw this.#failure;
      const chunk = (stream.read() as Uint8Array | null) ?? this.#passing;
      if (chunk !== null) {
        yield chunk;
        if (chunk !== this.#passing) continue;
        this.#passing = null;
        this.#release?.();
      } else if (stream.readableEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }

  async #pump(body: BodyReader, parser: BusboyInstance): Promise<void> {
    try {
      while (this.#failure === null && this.#state === 'open') {
        const { done, value } = await this.#read(body, this.#options.idleMs ?? defaultIdleMs);
        if (done) break;
        if (value !== undefined)
          await this.#take(parser, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      }
    } catch (error) {
      if (this.#failure === null) this.#fail(error as Error);
      this.#state = 'ended';
    }
    if (this.#failure === null) parser.end();
  }

  /** Rejects when nothing comes in time. The reads of a form share a timer. */
  #read(body: BodyReader, withinMs: number): ReturnType<BodyReader['read']> {
    return new Promise((resolve, reject) => {
      this.#late = () => {
        const message = `Nothing was received for ${withinMs / 1000} seconds. Send the form again.`;
        reject(new ApiError(408, message, { code: 'upload_timeout' }));
      };
      if (this.#timer === undefined || withinMs !== this.#timerMs) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#late(), withinMs);
        this.#timerMs = withinMs;
      } else this.#timer.refresh();
      body.read().then(resolve, reject);
    });
  }

  /** Gives the next bytes to the parser, but for those that are surely the file's: nearly all of a large form. */
  async #take(parser: BusboyInstance, bytes: Buffer): Promise<void> {
    for (let rest = bytes; rest.length > 0 && this.#failure === null; ) {
      const delimiters = this.#delimiters;
      if (delimiters === null) return this.#write(parser, rest);
      if (this.#file !== null && !delimiters.holds) {
        const passing = delimiters.before(rest);
        if (passing > 0) await this.#pass(rest.subarray(0, passing));
        rest = rest.subarray(passing);
        if (rest.length === 0) return;
      }
      const { taken, ends } = delimiters.take(rest);
      await this.#write(parser, rest.subarray(0, taken));
      // The first delimiter after its head ends the file; what the parser held back of it, it has given by now.
      if (ends && this.#file !== null) this.#delimiters = null;
      rest = rest.subarray(taken);
    }
  }

  /** Resolves when the parser can take more, which is when the file before has been read. */
  #write(parser: BusboyInstance, bytes: Buffer): Promise<void> {
    return this.#held((resolve) => parser.write(bytes, () => resolve()));
  }

  /** Resolves when the reader of the file has taken these bytes. */
  #pass(bytes: Buffer): Promise<void> {
    this.#passing = bytes;
    return this.#held(() => this.#wakeReader());
  }

  async #held(begin: (release: () => void) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#release = resolve;
    begin(resolve);
    await promise;
    this.#release = null;
  }

  async #linger(body: BodyReader): Promise<void> {
    const until = this.#closedAt + lingerMs;
    try {
      for (let left = lingerMs; left > 0; left = until - Date.now()) {
        if ((await this.#read(body, left)).done) return;
      }
    } catch {
      // The client has left, or takes too long: it gets its answer as it is.
    }
  }
}

function badForm(message: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_form' });
}

function quote(name: string): string {
  return JSON.stringify(String(name).slice(0, 64));
}
