import type { Buffer } from 'node:buffer';
import type { Endpoint } from './endpoint.ts';

/** One parsed line of an input file. `body` is the JSON object of the endpoint, untouched. */
export interface RequestLine {
  customId: string;
  endpoint: Endpoint;
  body: Record<string, unknown>;
  /** Where the line was not parsed yet: its body as bytes. Whoever changes the body makes a line without it. */
  readonly outline?: BodyOutline;
  /** Where the line was not parsed yet: its body apart from its texts. Whoever changes the body makes a line without it. */
  readonly frame?: RequestFrame;
}

/** A request's body apart from what is said in it: requests of one file often differ in their texts alone. */
export interface RequestFrame {
  /** One object for all requests of a file that have it in common. */
  readonly shape: FrameShape;
  /** As they stand between their quotes, escapes and all. */
  readonly texts: readonly string[];
}

export interface FrameShape {
  readonly endpoint: Endpoint;
  /** The body's JSON text with marks in the places of the texts (core/request-frame.ts). */
  readonly json: string;
}

/** What can be said of a request's body from its bytes: enough to send it on as it is. */
export interface BodyOutline {
  /** The body's JSON text as it came. */
  readonly bytes: Buffer;
  /** The names of its members, each once; bodies alike share the list. */
  readonly names: readonly string[];
  /** Where the value of `model` stands in `bytes`. */
  readonly modelFrom: number;
  readonly modelTo: number;
  /** The output tokens that it allows (core/tokens.ts); null where its bytes do not tell, as it may ask for several answers. */
  readonly outputLimit: number | null;
}
