import type { IncomingMessage, ServerResponse } from 'node:http';
import { isRecord } from './answer.ts';
import { blobOrder } from './azure-blob.ts';
import { type ErrorAnswer, errorBody, faultError, invalidRequest, missingParameter, wrongKey } from './errors.ts';
import { hasKey } from './intake.ts';
import { sendContent } from './openai-batch-content.ts';
import { readForm } from './openai-batch-form.ts';
import type { BatchFault, Operation } from './openai-batch-settings.ts';
import type { BatchStore, StoredBatch, StoredFile } from './openai-batch-store.ts';
import { batchView, fileView } from './openai-batch-views.ts';

/** What a request to the batch service asks for. */
export interface BatchTask {
  operation: Exclude<Operation, 'any'>;
  id: string;
  isAzure: boolean;
  query: URLSearchParams;
}

/** Reads a path and method of the files and batches of any flavour; null for everything else. */
export function readBatchPath(method: string, url: string): BatchTask | null {
  const [path = '', search = ''] = url.split('?', 2);
  const query = new URLSearchParams(search);
  const match = /^\/(openai\/v1|openai|v1)\/(files|batches|batch\/jobs)(?:\/([^/]+))?(?:\/(content|cancel))?$/.exec(
    path,
  );
  if (match === null) return null;
  const [, prefix, kind, id = '', verb = ''] = match;
  // Azure's dated paths do not exist without a version.
  if (prefix === 'openai' && !query.has('api-version')) return null;
  const shape = `${method} ${kind === 'files' ? 'files' : 'batches'}${id === '' ? '' : '/id'}${verb === '' ? '' : `/${verb}`}`;
  const operation = id === 'upload' && method === 'POST' ? 'upload' : operations[shape];
  if (operation === undefined) return null;
  return { operation, id: decodeURIComponent(id), isAzure: prefix !== 'v1', query };
}

const operations: Readonly<Record<string, BatchTask['operation']>> = {
  'POST files': 'upload',
  'GET files': 'files',
  'GET files/id': 'file',
  'DELETE files/id': 'delete',
  'GET files/id/content': 'content',
  'POST batches': 'create',
  'GET batches': 'list',
  'GET batches/id': 'poll',
  'POST batches/id/cancel': 'cancel',
};

interface Answer {
  status: number;
  body: unknown;
}

/** Answers one request to the batch service, or commits the fault that is due. */
export class BatchExchange {
  readonly #store: BatchStore;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requestId: string;

  constructor(store: BatchStore, request: IncomingMessage, response: ServerResponse, requestId: string) {
    this.#store = store;
    this.#request = request;
    this.#response = response;
    this.#requestId = requestId;
  }

  async handle(task: BatchTask, raw: Buffer): Promise<void> {
    const store = this.#store;
    store.counters.by_operation[task.operation] += 1;
    if (store.settings.api_key !== null && !hasKey(this.#request, store.settings.api_key)) {
      return this.#send(refused(wrongKey(task.isAzure)));
    }
    const fault = store.takeFault(task.operation);
    const refusal = this.#refusalOf(fault);
    if (refusal !== null) return this.#send(...refusal);
    if (task.operation === 'content') return this.#sendContent(task.id, fault);
    const answer = await this.#perform(task, raw, fault);
    if (fault === 'lose_answer') this.#request.socket.resetAndDestroy();
    else this.#sendFaulty(answer, fault);
  }

  /** A fault that refuses the request before anything is done. */
  #refusalOf(fault: BatchFault['fault'] | null): [Answer, Record<string, string>?] | null {
    if (typeof fault === 'number') return [refused(faultError(fault))];
    if (fault === 'rate_limit') return [refused(faultError(429)), { 'retry-after': '7' }];
    if (fault === 'quota') return [refused(quotaError('The number of enqueued tokens has surpassed the limit.'))];
    if (fault === 'echo') return [refused(invalidRequest(`You sent ${JSON.stringify(this.#request.headers)}`))];
    return null;
  }

  async #perform(task: BatchTask, raw: Buffer, fault: BatchFault['fault'] | null): Promise<Answer> {
    const { settings } = this.#store;
    switch (task.operation) {
      case 'upload':
        return this.#upload(raw);
      case 'files':
        return this.#list([...this.#store.files.values()], task.query, (file) => fileView(file, settings));
      case 'file':
        return this.#withFile(task.id, (file) => ({ status: 200, body: fileView(file, settings) }));
      case 'delete':
        return this.#withFile(task.id, (file) => this.#remove(file));
      case 'create':
        return this.#create(raw);
      case 'list': {
        const batches = [...this.#store.batches.values()].map((batch) => this.#store.settle(batch));
        return this.#list(batches, task.query, (batch) => batchView(batch, settings));
      }
      case 'poll':
        return this.#withBatch(task.id, (batch) => this.#poll(batch, fault));
      case 'cancel':
        return this.#withBatch(task.id, (batch) => this.#cancel(batch));
      case 'content':
        return refused(faultError(500));
    }
  }

  async #upload(raw: Buffer): Promise<Answer> {
    const { settings, files } = this.#store;
    const form = readForm(this.#request.headers['content-type'] ?? '', raw);
    if (form === null) return refused(invalidRequest('We could not parse the form of your request.'));
    const { file, filename, fields } = form;
    const purpose = fields.get('purpose');
    if (purpose === undefined) return refused(missingParameter('purpose'));
    if (file === null) return refused(missingParameter('file'));
    if (file.length > settings.max_file_bytes) return refused(invalidRequest('File is too large.'));
    const seconds = fields.get('expires_after[seconds]') ?? fields.get('expires_after.seconds');
    const expiresAfter = seconds === undefined ? null : Number(seconds);
    const least = settings.flavour === 'azure' ? 1_209_600 : 3600;
    if (expiresAfter !== null && !(expiresAfter >= least && expiresAfter <= 2_592_000)) {
      return refused(
        invalidRequest(`expires_after.seconds must be from ${least} to 2592000.`, 'expires_after.seconds'),
      );
    }
    const first = file
      .subarray(0, file.indexOf(0x0a) < 0 ? file.length : file.indexOf(0x0a))
      .toString()
      .trim();
    if (!filename.endsWith('.jsonl') || !first.replace('\uFEFF', '').startsWith('{')) {
      return refused(invalidRequest('Invalid file format for Batch API. Must be .jsonl'));
    }
    const places = expiresAfter === null ? settings.max_files : settings.max_files && settings.max_files * 20;
    const held = [...files.values()].filter(({ purpose: held, foreign }) => held === purpose && !foreign).length;
    if (places !== null && held >= places) {
      return refused(
        quotaError(`The maximum number of files (${places}) for this resource has been reached.`, 'quotaExceeded'),
      );
    }
    const stored = this.#store.addFile({ bytes: file, filename, purpose, expiresAfter });
    this.#store.counters.files_uploaded += 1;
    return { status: 200, body: fileView(stored, settings) };
  }

  #create(raw: Buffer): Answer {
    const { settings, files } = this.#store;
    const body = parse(raw);
    if (!isRecord(body)) return refused(invalidRequest('We could not parse the JSON body of your request.'));
    const isMistral = settings.flavour === 'mistral';
    const blob = settings.flavour === 'azure' ? blobOrder(body) : null;
    const named: unknown =
      blob?.input ?? (isMistral && Array.isArray(body.input_files) ? body.input_files[0] : body.input_file_id);
    if (typeof named !== 'string') return refused(missingParameter('input_file_id'));
    if (typeof body.endpoint !== 'string') return refused(missingParameter('endpoint'));
    if (isMistral && typeof body.model !== 'string') return refused(missingParameter('model'));
    if (settings.flavour === 'openai' && body.completion_window !== '24h') {
      return refused(invalidRequest(`Invalid value: 'completion_window'.`, 'completion_window', 'invalid_value'));
    }
    const metadata = isRecord(body.metadata) ? body.metadata : null;
    const wrong = Object.keys(metadata ?? {}).find((name) => typeof metadata?.[name] !== 'string');
    if (wrong !== undefined) {
      return refused(invalidRequest(`Invalid type for 'metadata.${wrong}'.`, `metadata.${wrong}`, 'invalid_type'));
    }
    const file = files.get(named);
    if (file === undefined) return refused(invalidRequest(`No such File object: ${named}`, 'input_file_id'));
    if (Date.now() < file.readyMs)
      return refused(invalidRequest('The input file is not processed yet.', 'input_file_id'));
    const problem = this.#store.tokenProblem(Math.ceil(file.bytes.length / 4));
    if (problem !== null && settings.token_limit === 'fail_fast') return refused(quotaError(problem));
    const order = {
      endpoint: body.endpoint,
      model: typeof body.model === 'string' ? body.model : null,
      inputFileId: named,
      window: typeof body.completion_window === 'string' ? body.completion_window : null,
      metadata,
      ...(blob && { outputFolder: blob.folder }),
    };
    const view = batchView(this.#store.addBatch(order), settings);
    return { status: 200, body: settings.flavour === 'together' ? { job: view, warning: '' } : view };
  }

  #poll(batch: StoredBatch, fault: BatchFault['fault'] | null): Answer {
    const { settings } = this.#store;
    if (batch.endedMs !== null) batch.pollsAfterEnd += 1;
    if (fault === 'unknown_status') return { status: 200, body: batchView(batch, settings, 'awaiting_capacity') };
    if (fault === 'backward_status') return { status: 200, body: batchView(batch, settings, 'validating') };
    return { status: 200, body: batchView(batch, settings) };
  }

  #cancel(batch: StoredBatch): Answer {
    if (batch.status === 'completed' || batch.status === 'failed' || batch.status === 'expired') {
      return refused({
        status: 409,
        message: `Cannot cancel a batch with status '${batch.status}'.`,
        type: 'invalid_request_error',
      });
    }
    batch.cancelledMs ??= Date.now();
    if (batch.status !== 'cancelled') batch.status = 'cancelling';
    return { status: 200, body: batchView(batch, this.#store.settings) };
  }

  #remove(file: StoredFile): Answer {
    this.#store.files.delete(file.id);
    this.#store.counters.files_deleted += 1;
    return { status: 200, body: { id: file.id, object: 'file', deleted: true } };
  }

  #list<Item extends { id: string; createdMs: number; purpose?: string }>(
    items: Item[],
    query: URLSearchParams,
    view: (item: Item) => object,
  ): Answer {
    const purpose = query.get('purpose');
    // Newest first; ids made within one millisecond keep their order.
    const sorted = items.filter((item) => purpose === null || item.purpose === purpose).toReversed();
    const { flavour } = this.#store.settings;
    if (flavour === 'together') return { status: 200, body: sorted.map(view) };
    const limit = Number(query.get('limit') ?? query.get('page_size') ?? 20);
    const after = query.get('after');
    const isPaged = flavour === 'mistral';
    const start = isPaged
      ? Number(query.get('page') ?? 0) * limit
      : after === null
        ? 0
        : sorted.findIndex(({ id }) => id === after) + 1;
    const page = sorted.slice(start, start + limit);
    const ends = {
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
      has_more: start + limit < sorted.length,
    };
    const body = { object: 'list', data: page.map(view), ...(isPaged ? { total: sorted.length } : ends) };
    return { status: 200, body };
  }

  #withFile(id: string, then: (file: StoredFile) => Answer): Answer {
    const file = this.#store.files.get(id);
    if (file !== undefined) return then(file);
    return refused({ status: 404, message: `No such File object: ${id}`, type: 'invalid_request_error', param: 'id' });
  }

  #withBatch(id: string, then: (batch: StoredBatch) => Answer): Answer {
    const batch = this.#store.batches.get(id);
    if (batch !== undefined) return then(this.#store.settle(batch));
    return refused({ status: 404, message: `No batch found with id '${id}'.`, type: 'invalid_request_error' });
  }

  async #sendContent(id: string, fault: BatchFault['fault'] | null): Promise<void> {
    const file = this.#store.files.get(id);
    if (file === undefined) return this.#send(this.#withFile(id, () => ({ status: 200, body: null })));
    await sendContent(this.#store, file, this.#request, this.#response, fault);
  }

  #sendFaulty(answer: Answer, fault: BatchFault['fault'] | null): void {
    const text = JSON.stringify(answer.body);
    if (fault === 'html')
      this.#write(200, '<!DOCTYPE html><html><h1>Bad Gateway</h1></html>', { 'content-type': 'text/html' });
    else if (fault === 'empty') this.#write(200, '');
    else if (fault === 'truncated') this.#write(200, text.slice(0, text.length / 2));
    else if (fault === 'error_object') this.#write(200, errorBody(faultError(500), 'nested'));
    else this.#write(answer.status, text);
  }

  #send(answer: Answer, headers?: Record<string, string>): void {
    this.#write(answer.status, JSON.stringify(answer.body), headers);
  }

  #write(status: number, body: string, headers: Record<string, string> = {}): void {
    const length = String(Buffer.byteLength(body));
    const usual = { 'content-type': 'application/json', 'content-length': length, 'x-request-id': this.#requestId };
    this.#response.writeHead(status, { ...usual, ...headers });
    this.#response.end(body);
  }
}

function refused(error: ErrorAnswer): Answer {
  return { status: error.status, body: JSON.parse(errorBody(error, 'nested')) };
}

function quotaError(message: string, code = 'token_limit_exceeded'): ErrorAnswer {
  return { status: 400, message, type: 'invalid_request_error', code };
}

function parse(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString());
  } catch {
    return undefined;
  }
}
