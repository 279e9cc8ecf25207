import { canonicalJson } from '../../../core/canonical-json.ts';
import { type Fields, isFields } from '../../../core/fields.ts';
import { parseEndpoint } from '../../../protocol/endpoint.ts';
import type { EvalRow } from '../../../protocol/eval-run.ts';
import { wrongUse } from '../exit.ts';
import type { ItemPlaces } from './graders.ts';
import type { JsonLine } from './json-lines.ts';

/** `row`: `{"item": {…}}`, as the API has them; `batch`: lines of an OpenAI batch file; `item`: any object. */
type Kind = 'row' | 'batch' | 'item';

const REFERENCES = ['answer', 'expected', 'reference', 'ideal', 'target', 'label', 'solution'];
const TASKS = ['messages', 'input', 'prompt', 'question', 'task', 'text'];
const OF_THE_RUN = ['model', 'messages', 'input', 'stream', 'stream_options'];

/** Reads lines of one kind as rows of a data source; what it saw says how a run asks for the answers. */
export class ItemShape {
  readonly #path: string;
  #kind: Kind | null = null;
  #first: Fields | null = null;
  #endpoint: '/v1/chat/completions' | '/v1/responses' = '/v1/chat/completions';
  #params: { text: string; value: Fields; number: number } | null = null;
  #hasSample = false;
  /** Models that the lines of a batch file name. */
  readonly models = new Set<string>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Parameters that all lines of a batch file have. */
  get params(): Fields {
    return this.#params?.value ?? {};
  }

  get source(): 'completions' | 'responses' | 'jsonl' {
    if (this.#hasSample) return 'jsonl';
    return this.#endpoint === '/v1/responses' ? 'responses' : 'completions';
  }

  /** The row of a line. `more` are fields that its item gets beside its own. Throws CliError that names the line. */
  rowOf({ number, value }: JsonLine, more: (id: string) => Fields): EvalRow {
    const where = `Line ${number} of ${this.#path}`;
    const kind = kindOf(value);
    this.#kind ??= kind;
    if (kind !== this.#kind) {
      throw wrongUse(`${where} is ${NAMES[kind]}, but lines before it are not. Keep to one kind in a file.`, 'file');
    }
    const row = kind === 'batch' ? this.#batchRow(value, number, where) : plainRow(value, kind);
    const hasSample = row.sample !== undefined && row.sample !== null;
    const item = { ...row.item, ...more(idOf(row.item)) };
    if (this.#first === null) {
      this.#first = item;
      this.#hasSample = hasSample;
    }
    if (hasSample !== this.#hasSample) {
      throw wrongUse(`${where} ${hasSample ? 'has' : 'lacks'} a sample, other than the first line.`, 'file');
    }
    return { ...row, item };
  }

  /** Which fields hold the task and the right answer, by the first line. */
  places(): ItemPlaces {
    const has = (name: string): boolean => Object.hasOwn(this.#first ?? {}, name);
    return { reference: REFERENCES.find(has) ?? null, task: TASKS.find(has) ?? 'input' };
  }

  /** The messages that ask for an answer: as the items hold them, or from a template. Throws CliError. */
  inputMessages(prompt: string | undefined, system: string | undefined) {
    const task = this.places().task;
    const value = this.#first?.[task];
    if (prompt === undefined && Array.isArray(value)) {
      if (system === undefined) return { type: 'item_reference' as const, item_reference: `item.${task}` };
      throw wrongUse(`The items bring their own messages; --system needs a --prompt beside it.`, 'system');
    }
    if (prompt === undefined && typeof value !== 'string') {
      throw wrongUse(
        `The first item of ${this.#path} has no ${TASKS.join(', ')}. Say with --prompt how to ask, as in --prompt "{{item.name}}".`,
        'prompt',
      );
    }
    return {
      type: 'template' as const,
      template: [
        ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
        { role: 'user' as const, content: prompt ?? `{{item.${task}}}` },
      ],
    };
  }

  #batchRow(value: Fields, number: number, where: string): EvalRow {
    const body = value.body as Fields;
    const endpoint = typeof value.url === 'string' ? parseEndpoint(value.url) : undefined;
    if (endpoint !== '/v1/chat/completions' && endpoint !== '/v1/responses') {
      throw wrongUse(`${where} is for ${value.url}; evals ask /v1/chat/completions or /v1/responses.`, 'file');
    }
    const params = Object.fromEntries(Object.entries(body).filter(([name]) => !OF_THE_RUN.includes(name)));
    const text = `${endpoint} ${canonicalJson(params)}`;
    this.#params ??= { text, value: params, number };
    this.#endpoint = endpoint;
    if (text !== this.#params.text) {
      throw wrongUse(
        `${where} has other parameters than line ${this.#params.number}. A run asks every item with the same ones; split the file.`,
        'file',
      );
    }
    if (typeof body.model === 'string') this.models.add(body.model);
    const { custom_id } = value;
    const asked = body.messages === undefined ? { input: body.input } : { messages: body.messages };
    return { item: { custom_id, ...asked } };
  }
}

const NAMES: Record<Kind, string> = {
  row: 'a row with an item',
  batch: 'a line of a batch file',
  item: 'a plain item',
};

function kindOf(value: Fields): Kind {
  if (isFields(value.item)) return 'row';
  return isFields(value.body) && typeof value.url === 'string' ? 'batch' : 'item';
}

function plainRow(value: Fields, kind: 'row' | 'item'): EvalRow {
  if (kind === 'item') return { item: value };
  const { item, sample } = value as { item: Fields; sample?: Fields };
  return { item, ...(sample && { sample }) };
}

/** What a file of answers calls an item by. */
export function idOf(item: Fields): string {
  return String(item.custom_id ?? item.id ?? '');
}
