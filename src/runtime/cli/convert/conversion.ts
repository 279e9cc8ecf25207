import type { BatchApi, Provider } from '../../../../providers/contract.ts';
import type { Failure } from '../../../core/failure.ts';
import { applyParams } from '../../../core/params.ts';
import type { LaneAssigner } from '../../../core/routing.ts';
import { checkLine, looksLikeJson, parseRequestLine } from '../../../core/validate-input.ts';
import type { RequestLine } from '../../../protocol/request-line.ts';
import { layLine } from '../../../services/shards/native-input.ts';

/** Different texts that are counted apart; the rest is counted together. */
const WARNINGS_MAX = 200;

export interface RefusedLine {
  /** 1-based in the file. */
  line: number;
  customId: string | null;
  code: string;
  param: string | null;
  message: string;
}

export interface Target {
  provider: Provider;
  api: BatchApi;
  /** Only this model's lines; undefined takes what the lanes say. */
  model: string | undefined;
  lanes: LaneAssigner;
}

/** Converts the lines of one file, in order, and counts what becomes of them. */
export class Conversion {
  /** Lines in the provider's form so far. */
  lines = 0;
  refused = 0;
  /** Lines that the route never sends to this provider and model. */
  elsewhere = 0;
  readonly #target: Target;
  readonly #warnings = new Map<string, number>();
  #otherWarnings = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  /** A line that is not blank; `number` is 1-based. Its native form with line feed, why there is none, or null: it goes elsewhere. */
  add(bytes: Uint8Array, number: number): string | RefusedLine | null {
    const { head, error } = checkLine(bytes, number);
    if (head === undefined) return this.refuse(number, customIdOf(bytes), error);
    const native = this.#convert(parseRequestLine(bytes), bytes.byteLength, number);
    if (native === null) this.elsewhere += 1;
    else if (typeof native !== 'string') return this.refuse(number, head.customId, native);
    else this.lines += 1;
    return native;
  }

  /** Counts a line that has no native form. */
  refuse(line: number, customId: string | null, why: Pick<RefusedLine, 'param' | 'code' | 'message'>): RefusedLine {
    this.refused += 1;
    return { line, customId, code: why.code, param: why.param, message: why.message };
  }

  /** What was left out of requests, the most frequent first. */
  warnings(): { message: string; lines: number }[] {
    const counted = [...this.#warnings].map(([message, lines]) => ({ message, lines }));
    counted.sort((left, right) => right.lines - left.lines);
    if (this.#otherWarnings > 0) counted.push({ message: 'other warnings', lines: this.#otherWarnings });
    return counted;
  }

  #convert(request: RequestLine, bytes: number, number: number): string | Failure | null {
    const { provider, api, model, lanes } = this.#target;
    const { endpoint, body } = request;
    const lane = lanes.lanes[lanes.assign({ model: body.model as string, endpoint, bytes, body })];
    if (lane === undefined || lane.kind === 'refuse') return lane?.failure ?? null;
    const candidate = lane.candidates.find(
      (one) => one.provider === provider.name && (model === undefined || one.model === model),
    );
    if (candidate === undefined) return null;
    const converted = provider.convert({ ...request, body: applyParams(body, candidate.params) }, candidate.model);
    if (!converted.ok) return converted.failure;
    const native = layLine(provider.name, api, number - 1, converted.request);
    if (typeof native === 'string') for (const warning of new Set(converted.warnings)) this.#count(warning);
    return native;
  }

  #count(warning: string): void {
    const count = this.#warnings.get(warning);
    if (count === undefined && this.#warnings.size >= WARNINGS_MAX) this.#otherWarnings += 1;
    else this.#warnings.set(warning, (count ?? 0) + 1);
  }
}

/** The name of a line that has other faults, where it can be read. */
function customIdOf(bytes: Uint8Array): string | null {
  if (!looksLikeJson(bytes)) return null;
  const value = JSON.parse(new TextDecoder().decode(bytes)) as { custom_id?: unknown } | null;
  return typeof value?.custom_id === 'string' ? value.custom_id : null;
}
