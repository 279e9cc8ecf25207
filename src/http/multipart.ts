import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { ApiError } from '../core/api-error.ts';
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
  /** Settles the write that the parser holds back until its file is read. */
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
  }

  async *#content(stream: Readable): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (error) {
      throw this.#failure ?? error;
    }
    // An aborted stream may end like a whole one.
    if (this.#failure !== null) throw this.#failure;
  }

  async #pump(body: BodyReader, parser: BusboyInstance): Promise<void> {
    try {
      while (this.#failure === null && this.#state === 'open') {
        const { done, value } = await this.#read(body, this.#options.idleMs ?? defaultIdleMs);
        if (done) break;
        if (value !== undefined) await this.#write(parser, value);
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

  /** Resolves when the parser can take more, which is when the file before has been read. */
  async #write(parser: BusboyInstance, chunk: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#release = resolve;
    parser.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), () => resolve());
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
