/** The one way out to providers. Redirects are never followed: credentials go to the configured origin only. */
export interface HttpClient {
  /**
   * Sends one request and reads the whole answer. Resolves for every HTTP status.
   * Throws HttpFailure when there is no complete answer.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /**
   * Sends one request and hands the answer on as it comes. `timeoutMs` bounds the wait for its head and for each piece
   * after it. Throws HttpFailure, as does reading the body when the answer breaks off.
   */
  stream(request: HttpRequest): Promise<HttpStream>;
  close(): Promise<void>;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
  /** Bounds the whole exchange, from connect to the last byte. */
  timeoutMs: number;
  /** An answer larger than this is refused. */
  maxResponseBytes: number;
  signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface HttpStream {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** To be read once; leaving the loop early ends the exchange. */
  body: AsyncIterable<Uint8Array>;
}

export type HttpFailureKind = 'connect' | 'reset' | 'timeout' | 'aborted' | 'too_large';

export class HttpFailure extends Error {
  readonly kind: HttpFailureKind;
  /** False only when the request certainly never reached the server. */
  readonly reached: boolean;
  constructor(kind: HttpFailureKind, reached: boolean, message: string) {
    super(message);
    this.name = 'HttpFailure';
    this.kind = kind;
    this.reached = reached;
  }
}
