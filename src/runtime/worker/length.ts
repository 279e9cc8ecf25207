/** Of workerd: a stream that promises its length, without which an answer is sent in chunks and has none. */
interface LengthStream {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
}
declare const FixedLengthStream: new (bytes: number) => LengthStream;

/** The answer with its Content-Length kept: workerd drops the header from bodies whose length it does not know. */
export function withLength(answer: Response): Response {
  const length = answer.headers.get('content-length');
  if (answer.body === null || length === null) return answer;
  return new Response(answer.body.pipeThrough(new FixedLengthStream(Number(length))), answer);
}
