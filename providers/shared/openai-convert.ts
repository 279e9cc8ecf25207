import { type Failure, refusal } from '../../src/core/failure.ts';
import { withModel } from '../../src/core/request-outline.ts';
import { textOf } from '../../src/core/validate-input.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { BodyOutline, RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted, NativeRequest } from '../contract.ts';

/** What a provider takes, as data. */
export interface ConvertRules {
  /** The operator's name of the provider, for messages. */
  provider: string;
  endpoints: readonly Endpoint[];
  /** Parameters whose loss would change the answer and that the provider does not know: refused by name. */
  refused: ReadonlySet<string>;
  /** Parameters that it does not know and that do not change the answer: left out with a warning. */
  ignored?: ReadonlySet<string>;
  /** Parameters that it knows under another name. */
  renamed?: ReadonlyMap<string, string>;
  /** Tiers of `service_tier` that may be asked for; absent means any. */
  serviceTiers?: readonly string[];
}

/**
 * Settings of client libraries that would choose where a request goes or with which credentials. Whoever honours one lets
 * a line spend the operator's key elsewhere, so no provider ever sees them.
 */
export const forbiddenParameters: ReadonlySet<string> = new Set([
  'api_base',
  'base_url',
  'api_key',
  'api_type',
  'api_version',
  'extra_body',
  'extra_headers',
  'extra_query',
  'headers',
  'custom_llm_provider',
  'provider',
]);

/** Whether these are sent, or the line refused, depends on their values. */
const judgedParameters: ReadonlySet<string> = new Set([
  ...forbiddenParameters,
  'stream',
  'stream_options',
  'background',
  'service_tier',
]);

/** Values that ask for what happens anyway, so that leaving the parameter out changes nothing. */
const neutral: Readonly<Record<string, unknown>> = { n: 1, best_of: 1, logprobs: false, background: false };

/**
 * A line in OpenAI's shape for a provider that speaks it: `model` set, streaming off, everything else as it came.
 * Linear in the body; never throws.
 */
export function convertToOpenAI(line: RequestLine, model: string, rules: ConvertRules): Converted {
  if (!rules.endpoints.includes(line.endpoint)) {
    return refuse('unsupported', 'endpoint_not_supported', `${rules.provider} does not serve ${line.endpoint}.`, 'url');
  }
  if (line.outline !== undefined && isForwarded(line.outline, rules)) {
    return { ok: true, request: new ForwardedRequest(line.endpoint, model, line.outline), warnings: [] };
  }
  const warnings: string[] = [];
  const body: Record<string, unknown> = { model };
  for (const name in line.body) {
    if (!Object.hasOwn(line.body, name) || name === 'model') continue;
    const value = line.body[name];
    if (forbiddenParameters.has(name)) return { ok: false, failure: forbiddenParameter(name, rules.provider) };
    if (value === undefined || isLeftOut(name, value, rules, warnings)) continue;
    const refusedValue = refuseValue(name, value, rules);
    if (refusedValue !== null) return refusedValue;
    assign(body, rules.renamed?.get(name) ?? name, value);
  }
  return { ok: true, request: { endpoint: line.endpoint, model, body: JSON.stringify(body) }, warnings };
}

/** A request whose body goes on as the client wrote it, but for its model. */
class ForwardedRequest implements NativeRequest {
  readonly endpoint: Endpoint;
  readonly model: string;
  // Beyond the reach of a spread: a copy with another body must not keep these bytes.
  readonly #bytes: Uint8Array;

  constructor(endpoint: Endpoint, model: string, outline: BodyOutline) {
    this.endpoint = endpoint;
    this.model = model;
    this.#bytes = withModel(outline, model);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get body(): string {
    return textOf(this.#bytes);
  }
}

/** Whether no member of a body but its model is one that the conversion looks at. */
function isForwarded({ names }: BodyOutline, { ignored, refused, renamed }: ConvertRules): boolean {
  for (const name of names) {
    if (judgedParameters.has(name) || refused.has(name) || ignored?.has(name) || renamed?.has(name)) return false;
  }
  return true;
}

/** True for a parameter that is not sent; says so in a warning where somebody could miss it. */
function isLeftOut(name: string, value: unknown, rules: ConvertRules, warnings: string[]): boolean {
  if (name === 'stream' || name === 'stream_options') {
    if (value === true) warnings.push('stream was left out: a batch answers each request as a whole');
    return true;
  }
  if (name === 'background' && value === false) return true;
  if (rules.ignored?.has(name)) {
    if (value !== null) warnings.push(`${name} was left out: ${rules.provider} does not know it`);
    return true;
  }
  return rules.refused.has(name) && (value === null || value === neutral[name]);
}

function refuseValue(name: string, value: unknown, rules: ConvertRules): Converted | null {
  if (rules.refused.has(name)) {
    const message = `${rules.provider} does not know the parameter '${name}'. Remove it, or list it in the target's drop_params.`;
    return refuse('unsupported', 'unsupported_parameter', message, name);
  }
  if (name === 'background' && value === true) {
    const message = `'background' asks for an answer later, which a batch is already. Remove it.`;
    return refuse('unsupported', 'unsupported_parameter', message, name);
  }
  if (name === 'service_tier' && value !== null && rules.serviceTiers?.includes(String(value)) === false) {
    const message = `'service_tier' may be ${rules.serviceTiers.join(' or ')} for ${rules.provider}: other tiers have other prices, which the ledger could not account for.`;
    return refuse('unsupported', 'unsupported_parameter', message, name);
  }
  return null;
}

/** Plain assignment to `__proto__` would set the prototype and lose the member. */
function assign(body: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(body, name, { value, enumerable: true });
  else body[name] = value;
}

/** The refusal of one of `forbiddenParameters`. */
export function forbiddenParameter(name: string, provider: string): Failure {
  const message = `'${name}' may not stand in a request: where it goes, and with which key, is set in the config of ${provider}. Remove it.`;
  return refusal('invalid_request', 'forbidden_parameter', message, name);
}

function refuse(kind: 'unsupported' | 'invalid_request', code: string, message: string, param: string): Converted {
  return { ok: false, failure: refusal(kind, code, message, param) };
}
