import type { IncomingMessage, ServerResponse } from 'node:http';
import { type GoogleAnswer, type GoogleCallRequest, googleError } from './gcs-routes.ts';
import { sendFrames, sseFrame } from './native-streams.ts';
import type { VertexFault } from './vertex-settings.ts';
import type { Simulation, VertexCounters } from './vertex-simulation.ts';

/** Reads one request whole and answers it, as well or as badly as the settings say. */
export async function serve(
  simulation: Simulation,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host}`);
  const { method = 'GET', headers } = incoming;
  const request: GoogleCallRequest = { method, url, headers, body: Buffer.concat(chunks) };
  const fault = simulation.takeFault(request);
  if (fault?.fault === 'hang') return;
  if (fault?.fault === 'reset') {
    response.destroy();
    return;
  }
  if (fault !== null && typeof fault.fault === 'number') {
    send(response, refusalOf(fault, fault.fault));
    return;
  }
  if (fault?.fault === 'echo') {
    send(response, googleError(400, 'INVALID_ARGUMENT', `You sent ${JSON.stringify(headers)}`));
    return;
  }
  if (fault?.fault === 'half' && method === 'PUT') return storeHalf(simulation, request, response);
  const answer = simulation.answer(request);
  if (fault?.fault === 'lost') response.destroy();
  else if (fault === null && answer.events !== undefined) await stream(simulation, answer, response);
  else if (fault === null && answer.isDownload === true) await drip(response, answer, simulation.counters);
  else send(response, fault === null ? answer : spoil(answer, fault));
}

async function stream(
  { settings, counters }: Simulation,
  answer: GoogleAnswer,
  response: ServerResponse,
): Promise<void> {
  const frames = (answer.events ?? []).map((event) =>
    sseFrame(typeof event.type === 'string' ? event.type : null, event),
  );
  const { error_name: name } = settings.stream;
  const isClaude = (answer.events ?? []).some(({ type }) => type === 'message_start');
  const error = isClaude
    ? sseFrame('error', { type: 'error', error: { type: name ?? 'overloaded_error', message: 'Overloaded' } })
    : sseFrame(null, { error: { code: 503, message: 'The service is overloaded.', status: name ?? 'UNAVAILABLE' } });
  const onEnd = (isWhole: boolean): void => {
    if (!isWhole) counters.streams_left += 1;
  };
  await sendFrames(response, { type: 'text/event-stream', headers: {}, frames, error, onEnd }, settings.stream);
}

function refusalOf({ message, word, retry_after: retryAfter }: VertexFault, status: number): GoogleAnswer {
  const words: Record<number, string> = {
    400: 'INVALID_ARGUMENT',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    429: 'RESOURCE_EXHAUSTED',
    503: 'UNAVAILABLE',
  };
  const answer = googleError(
    status,
    word ?? words[status] ?? 'INTERNAL',
    message ?? `Simulated failure with status ${status}.`,
  );
  return retryAfter === undefined ? answer : { ...answer, headers: { 'retry-after': retryAfter } };
}

/** A connection that breaks in the middle of a chunk: the service keeps what came in, in its quanta. */
function storeHalf(simulation: Simulation, request: GoogleCallRequest, response: ServerResponse): void {
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(String(request.headers['content-range'])) ?? [];
  if (first !== undefined) {
    const quantum = 256 * 1024;
    const half = Math.floor((Number(last) - Number(first) + 1) / 2 / quantum) * quantum;
    const range = `bytes ${first}-${Number(first) + half - 1}/*`;
    const body = request.body.subarray(0, half);
    if (half > 0) simulation.answer({ ...request, body, headers: { ...request.headers, 'content-range': range } });
  }
  response.destroy();
}

function spoil(answer: GoogleAnswer, { fault }: VertexFault): GoogleAnswer {
  const whole = bytesOf(answer);
  if (fault === 'html')
    return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Bad Gateway</html>' };
  if (fault === 'empty') return { status: 200, body: '' };
  if (fault === 'truncated') return { status: 200, body: whole.subarray(0, Math.floor(whole.length / 2)) };
  if (fault === 'error')
    return { status: 200, body: { error: { code: 500, message: 'Internal', status: 'INTERNAL' } } };
  if (fault === 'short') return { ...answer, body: whole.subarray(0, Math.floor(whole.length / 2)), isUnstated: true };
  return { ...answer, cutAfter: Math.floor(whole.length / 2) };
}

function bytesOf({ body }: GoogleAnswer): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(body === null ? '' : typeof body === 'string' ? body : JSON.stringify(body));
}

function send(response: ServerResponse, answer: GoogleAnswer): void {
  const bytes = bytesOf(answer);
  const type = typeof answer.body === 'string' ? 'text/plain' : 'application/json; charset=UTF-8';
  const length = answer.isUnstated === true ? {} : { 'content-length': bytes.length };
  response.writeHead(answer.status, { 'content-type': type, ...length, ...answer.headers });
  if (answer.cutAfter === undefined) response.end(bytes);
  else response.write(bytes.subarray(0, answer.cutAfter), () => response.destroy());
}

/** Sends a download piece by piece, no faster than it is taken, and counts what has gone. */
async function drip(response: ServerResponse, answer: GoogleAnswer, counters: VertexCounters): Promise<void> {
  const bytes = bytesOf(answer);
  const pieceBytes = 256 * 1024;
  response.writeHead(answer.status, { 'content-length': bytes.length, ...answer.headers });
  for (let start = 0; start < bytes.length && !response.destroyed; start += pieceBytes) {
    const piece = bytes.subarray(start, start + pieceBytes);
    counters.download_bytes += piece.length;
    if (!response.write(piece)) await roomIn(response);
  }
  response.end();
}

function roomIn(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
