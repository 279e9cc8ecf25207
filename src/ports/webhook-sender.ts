/** The one way out to addresses that tenants name. It carries no credential of a provider and follows no redirect. */
export interface WebhookSender {
  /** Looks at a URL as at each delivery, without calling it. Throws WebhookRefusal. */
  check(url: string): Promise<void>;
  /**
   * Sends a POST and answers the status, whatever it is; the answer's body is not kept. The address that was looked at is
   * the one connected to, also by a proxy, unless the operator lets that look names up. Throws WebhookRefusal where the URL may not be called, HttpFailure when there is no answer.
   */
  post(request: WebhookPost): Promise<{ status: number }>;
  close(): Promise<void>;
}

export interface WebhookPost {
  url: string;
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
}

/** Bounds the whole of a delivery, from looking the name up to the answer's head. */
export const DELIVERY_TIMEOUT_MS = 10_000;

/** A URL that webhooks may not reach; the message completes "The URL cannot be used: ". */
export class WebhookRefusal extends Error {
  override readonly name = 'WebhookRefusal';
}
