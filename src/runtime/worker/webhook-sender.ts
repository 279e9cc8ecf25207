import { readWebhookUrl } from '../../core/webhook-url.ts';
import type { HttpClient } from '../../ports/http-client.ts';
import { DELIVERY_TIMEOUT_MS, WebhookRefusal, type WebhookSender } from '../../ports/webhook-sender.ts';

/**
 * The Worker's: the platform resolves names and connects by itself, from its own network, which leads to the public
 * internet alone. What a URL says of its host is looked at here all the same.
 */
export function createWorkerWebhookSender(http: HttpClient, allowed: ReadonlySet<string>): WebhookSender {
  const read = (text: string): string => {
    const checked = readWebhookUrl(text, allowed);
    if (!checked.ok) throw new WebhookRefusal(checked.problem);
    return checked.url.href;
  };
  return {
    async check(url) {
      read(url);
    },
    async post({ url, headers, body, signal }) {
      const request = { method: 'POST' as const, url: read(url), headers, body, signal };
      const { status, body: rest } = await http.stream({
        ...request,
        timeoutMs: DELIVERY_TIMEOUT_MS,
        maxResponseBytes: 0,
      });
      // Leaving the loop ends the exchange: nobody looks at the rest.
      try {
        for await (const _piece of rest) break;
      } catch {
        // The status is the outcome.
      }
      return { status };
    },
    close: () => Promise.resolve(),
  };
}
