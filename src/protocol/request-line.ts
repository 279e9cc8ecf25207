import type { Endpoint } from './endpoint.ts';

/** One parsed line of an input file. `body` is the JSON object of the endpoint, untouched. */
export interface RequestLine {
  customId: string;
  endpoint: Endpoint;
  body: Record<string, unknown>;
}
