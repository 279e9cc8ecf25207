/** The one way out to providers. Redirects are never followed: credentials go to the configured origin only. */
export interface HttpClient {
  /**
   * Sends one request and reads the whole answer. Resolves for every HTTP status.
   * Throws HttpFailure when there is no complete answer.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
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
