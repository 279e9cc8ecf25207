import { randomUUID } from 'node:crypto';
import type { ControlAnswer } from './bedrock-control.ts';
import type { ReceivedRequest } from './s3-listening.ts';

/** Sends an answer as the fault wants it spoilt. */
export function send(received: ReceivedRequest, answer: ControlAnswer, fault: string | null, headers = {}): void {
  const { response } = received;
  if (fault === 'lose_answer') {
    response.destroy();
    return;
  }
  if (fault === 'html') raw(received, '<html>Bad gateway</html>');
  else if (fault === 'empty') raw(received, '');
  else if (fault === 'error_object') raw(received, '{"error":{"message":"Something went wrong"}}');
  else if (fault === 'truncated') raw(received, JSON.stringify(answer.ok ? answer.body : {}).slice(0, -10));
  else if (answer.ok && fault === 'unknown_status')
    reply(received, { ok: true, body: { ...answer.body, status: 'Pondering' } });
  else if (answer.ok && fault === 'backward_status')
    reply(received, { ok: true, body: { ...answer.body, status: 'Submitted' } });
  else reply(received, answer, headers);
}

function raw({ response }: ReceivedRequest, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(text);
}

/** Sends an answer as the service would. */
export function reply(
  { response }: ReceivedRequest,
  answer: ControlAnswer,
  headers: Record<string, string> = {},
): void {
  const common = { 'content-type': 'application/json', 'x-amzn-requestid': randomUUID(), ...headers };
  if (answer.ok) {
    response.writeHead(200, common);
    response.end(JSON.stringify(answer.body));
    return;
  }
  const retry =
    answer.retryAfter === null || answer.retryAfter === undefined ? {} : { 'retry-after': answer.retryAfter };
  response.writeHead(answer.status, { ...common, ...retry, 'x-amzn-errortype': answer.name });
  response.end(JSON.stringify({ message: answer.message }));
}
