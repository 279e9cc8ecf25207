import { parseExact } from '../../src/core/exact-json.ts';
import type { NativeRequest } from '../contract.ts';
import { isFields } from '../shared/error-body.ts';
import type { Block, Draft } from './draft.ts';

/** The draft as a Converse request: the body of an immediate call, and `modelInput` of a job of type Converse. */
export function converseBody(draft: Draft): string {
  const { system, messages, inference, tools, toolChoice, outputConfig, extra } = draft;
  const hasTools = tools !== null && tools.length > 0;
  return JSON.stringify({
    messages,
    ...(system.length > 0 && { system }),
    ...(Object.keys(inference).length > 0 && { inferenceConfig: inference }),
    ...(hasTools && { toolConfig: { tools, ...(toolChoice !== null && { toolChoice }) } }),
    ...(outputConfig !== null && { outputConfig }),
    ...(Object.keys(extra).length > 0 && { additionalModelRequestFields: extra }),
  });
}

/** Fields of a request that Bedrock's batch service does not promise to honour (user guide, batch inference). */
const notInBatch = {
  toolConfig: 'tools',
  outputConfig: 'response_format',
  tools: 'tools',
  output_config: 'response_format',
} as const;

/** What a native body has that a batch does not serve. */
interface Unserved {
  /** The parameter that asks for it; null when there is none. */
  parameter: string | null;
  hasCachePoints: boolean;
}

/** Of bodies that differ in what is said alone. */
const known = new WeakMap<object, Unserved>();

function unservedBy({ body, alike }: NativeRequest): Unserved {
  const before = alike && known.get(alike);
  if (before !== undefined) return before;
  const found = { parameter: unservedParameter(body), hasCachePoints: hasCachePoints(body) };
  if (alike !== undefined) known.set(alike, found);
  return found;
}

/** The parameter of a request that a batch cannot serve; null when there is none. */
export function unbatchable(request: NativeRequest): string | null {
  return unservedBy(request).parameter;
}

function unservedParameter(body: string): string | null {
  // What all of them begin with: short texts are searched for several times as fast.
  if (!body.includes('"tool') && !body.includes('"outp')) return null;
  const named = Object.entries(notInBatch).filter(([field]) => body.includes(`"${field}"`));
  if (named.length === 0) return null;
  const fields = JSON.parse(body) as Record<string, unknown>;
  return named.find(([field]) => isStated(fields[field], field))?.[1] ?? null;
}

/** Claude's `output_config` may hold the effort alone, which a batch serves. */
function isStated(value: unknown, field: string): boolean {
  if (field !== 'output_config') return value !== undefined;
  return isFields(value) && value.format !== undefined;
}

function hasCachePoints(body: string): boolean {
  return body.includes('"cach') && (body.includes('"cachePoint"') || body.includes('"cache_control"'));
}

/** The body, where a record with a cache point fails as a whole in a batch: they are taken out, which changes no answer. */
export function withoutCachePoints(native: NativeRequest): string {
  const { body } = native;
  if (!unservedBy(native).hasCachePoints) return body;
  const request = parseExact(body) as { system?: unknown; messages?: { content?: unknown }[]; tools?: unknown };
  request.system = stripped(request.system);
  for (const message of request.messages ?? []) message.content = stripped(message.content);
  request.tools = stripped(request.tools);
  return JSON.stringify(request);
}

function stripped(blocks: unknown): unknown {
  if (!Array.isArray(blocks)) return blocks;
  return (blocks as Block[])
    .filter((block) => !('cachePoint' in block))
    .map(({ cache_control: _control, ...block }) => block);
}
