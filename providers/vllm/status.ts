import type { Failure } from '../../src/core/failure.ts';

export { failureOf } from '../shared/openai-status.ts';

/**
 * Whether a server refused a request for its `priority`: vLLM (400, "Got priority 10 but Priority scheduling is not enabled."),
 * SGLang (503, "Using priority is disabled for this server."), servers that take no field they do not know (400, 422).
 */
export function refusesPriority({ status, message, param }: Failure): boolean {
  // SGLang also says 503 of what "is aborted by a higher priority request".
  if (status === 503) return /priority is disabled/i.test(message);
  return (status === 400 || status === 422) && /\bpriority\b/i.test(`${param ?? ''} ${message}`);
}
