import { type Failure, refusal } from '../../src/core/failure.ts';
import type { ClaudeFamily } from './anthropic-messages-families.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Where and for whom a chat request is written as a Messages body. */
export interface MessagesOptions {
  /** The operator's name of the provider, for messages. */
  provider: string;
  family: ClaudeFamily;
  /** Members that come first: `{model}` for Anthropic itself, `{anthropic_version}` for Bedrock and Vertex. */
  head: Fields;
  /** The service fetches http(s) URLs of images and documents itself. */
  fetchesUrls: boolean;
  /** The service takes cache breakpoints; without it they are left out with a warning. */
  caches: boolean;
  /** The service takes `service_tier`. */
  hasServiceTiers: boolean;
  /** `max_tokens` for requests that name none; at most what the family can do. */
  defaultMaxTokens?: number | undefined;
  /** Parameters that this service refuses beside those that no Claude model takes. */
  refused?: ReadonlySet<string> | undefined;
}

/** One request being mapped: warnings gather here, a refusal ends it by throwing MappingRefusal. */
export interface Mapping {
  readonly options: MessagesOptions;
  readonly warnings: string[];
}

/** Ends a mapping from any depth; `toMessages` turns it into its failed answer. */
export class MappingRefusal extends Error {
  override readonly name = 'MappingRefusal';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Refuses what the service cannot express. */
export function refuse(param: string, message: string): never {
  throw new MappingRefusal(refusal('unsupported', 'unsupported_parameter', message, param));
}

/** Refuses what is wrong in OpenAI's own terms. */
export function refuseInvalid(param: string, message: string): never {
  throw new MappingRefusal(refusal('invalid_request', 'invalid_value', message, param));
}

export function warn(mapping: Mapping, text: string): void {
  if (!mapping.warnings.includes(text)) mapping.warnings.push(text);
}
