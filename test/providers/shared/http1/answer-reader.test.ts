import { request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedAnswer } from '../../../../providers/shared/http1/answer-head.ts';
import { AnswerReader, HeadTooLarge } from '../../../../providers/shared/http1/answer-reader.ts';

interface Read {
  status: number;
  headers: Record<string, string>;
  body: string;
  keepAliveMs: number;
}

/** What the reader makes of pieces that are read into the same memory, and of the end after them; null: not whole. */
function read(pieces: readonly Uint8Array[]): Read | null {
  const reader = new AnswerReader();
  const body: Uint8Array[] = [];
  let status = 0;
  let headers: Record<string, string> = {};
  reader.expect({
    begin(begun, named) {
      status = begun;
      headers = named;
    },
    add: (piece) => body.push(piece),
  });
  const memory = Buffer.alloc(65_536);
  let isWhole = false;
  for (const piece of pieces) {
    memory.set(piece);
    isWhole = reader.take(memory, piece.length);
    memory.fill(0x21);
  }
  if (!(isWhole || reader.finish())) return null;
  return { status, headers, body: Buffer.concat(body).toString('latin1'), keepAliveMs: reader.keepAliveMs };
}

const readText = (text: string): Read | null => read([Buffer.from(text, 'latin1')]);

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return places.slice(1).flatMap((to, index) => {
    const piece = bytes.subarray(places[index], to);
    return piece.length === 0 ? [] : [piece];
  });
}

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const anyBody = fc.oneof(latin1, fc.constant(''), fc.constant('{"a":1}\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'));
const interim = fc.constantFrom('', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');

function chunked(body: string, sizes: readonly number[]): string {
  let text = '';
  let at = 0;
  for (const size of [...sizes, Number.MAX_SAFE_INTEGER]) {
    const chunk = body.slice(at, at + size);
    at += chunk.length;
    if (chunk !== '') text += `${chunk.length.toString(16)}${size % 2 === 0 ? ';ext="a"' : ''}\r\n${chunk}\r\n`;
  }
  return `${text}0\r\n${sizes.length % 2 === 0 ? '' : 'x-checksum: 1\r\n'}\r\n`;
}

describe('an answer', () => {
  it('is read the same however it is cut into pieces, with its length, in chunks, or until the end', () => {
    const framed = fc.record({
      before: interim,
      body: anyBody,
      how: fc.constantFrom('length', 'chunks', 'end'),
      sizes: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 }),
      cuts: fc.array(fc.nat(), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(framed, ({ before, body, how, sizes, cuts }) => {
        const said = { length: `content-length: ${body.length}`, chunks: 'Transfer-Encoding: chunked', end: 'a: b' }[
          how
        ];
        const sent = how === 'chunks' ? chunked(body, sizes) : body;
        const text = `${before}HTTP/1.1 200 OK\r\nX-Request-Id:  r1 \r\n${said}\r\n\r\n${sent}`;
        const answer = read(split(Buffer.from(text, 'latin1'), cuts));
        expect(answer).toMatchObject({ status: 200, body, keepAliveMs: how === 'end' ? 0 : 4_000 });
        expect(answer?.headers['x-request-id']).toBe('r1');
      }),
      { numRuns: 500 },
    );
  });

  it('is not whole before its last byte', () => {
    fc.assert(
      fc.property(anyBody, fc.boolean(), fc.nat(), (body, isChunked, cut) => {
        const framed = isChunked
          ? `transfer-encoding: chunked\r\n\r\n${chunked(body, [3])}`
          : `content-length: ${body.length}\r\n\r\n${body}`;
        const text = `HTTP/1.1 200 OK\r\n${framed}`;
        expect(readText(text.slice(0, cut % text.length))).toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['of another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['of HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['with a status that is none', 'HTTP/1.1 20x OK\r\n\r\n'],
    ['that changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['with two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
    ['with a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}'],
    ['with a length in hexadecimal', 'HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\n{}'],
    ['with a length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['in an encoding nobody asked for', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['with a header that goes on in the next line', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n'],
    ['with a space before a colon', 'HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n'],
    ['with a line feed alone', 'HTTP/1.1 200 OK\r\na: b\ncontent-length: 0\r\n\r\n'],
    ['with a carriage return alone', 'HTTP/1.1 200 OK\r\na: b\rcontent-length: 0\r\n\r\n'],
    ['with a NUL', 'HTTP/1.1 200 OK\r\na: \0\r\ncontent-length: 0\r\n\r\n'],
    ['with a header without a colon', 'HTTP/1.1 200 OK\r\nnothing\r\ncontent-length: 0\r\n\r\n'],
    ['with a chunk without a size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n'],
    ['with a chunk of a negative size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n'],
    ['with a chunk longer than its size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}}\r\n'],
    [
      'with a chunk line that ends with a line feed alone',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\n{}',
    ],
  ])('%s is refused', (_what, text) => {
    expect(() => readText(text)).toThrow(MalformedAnswer);
    const bytes = Buffer.from(text, 'latin1');
    expect(() => read([...bytes].map((byte) => Buffer.of(byte)))).toThrow(MalformedAnswer);
  });

  it.each([
    ['its head', `HTTP/1.1 200 OK\r\na: ${'x'.repeat(17_000)}`],
    ['the line of a chunk', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;${'x'.repeat(17_000)}`],
    [
      'its trailers',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${`a: ${'x'.repeat(500)}\r\n`.repeat(40)}`,
    ],
  ])('is refused when %s is too large', (_what, text) => {
    expect(() => readText(text)).toThrow(HeadTooLarge);
  });

  it.each([
    ['nothing', 'HTTP/1.1', '', 4_000],
    ['the end', 'HTTP/1.1', 'connection: Close\r\n', 0],
    ['the end among others', 'HTTP/1.1', 'connection: upgrade, close\r\n', 0],
    ['sixty seconds', 'HTTP/1.1', 'Connection: keep-alive\r\nKeep-Alive: timeout=60, max=100\r\n', 58_000],
    ['a second', 'HTTP/1.1', 'keep-alive: timeout=1\r\n', 0],
    ['a year', 'HTTP/1.1', 'keep-alive: timeout=31536000\r\n', 600_000],
    ['nothing, in HTTP/1.0', 'HTTP/1.0', '', 0],
    ['keep-alive, in HTTP/1.0', 'HTTP/1.0', 'connection: keep-alive\r\n', 4_000],
  ])('says how long its connection may be idle: %s', (_what, version, headers, keepAliveMs) => {
    expect(readText(`${version} 200 OK\r\n${headers}content-length: 2\r\n\r\n{}`)?.keepAliveMs).toBe(keepAliveMs);
  });

  it('with more behind it is whole, but the last of its connection', () => {
    const more = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n';
    expect(readText(more)).toMatchObject({ body: '{}', keepAliveMs: 0 });
  });

  it.each([204, 304])('of status %i has no body, whatever its head says', (status) => {
    expect(readText(`HTTP/1.1 ${status} OK\r\ncontent-length: 5\r\n\r\n`)).toMatchObject({ status, body: '' });
  });

  it('may name what objects have, without harm', () => {
    const { headers } =
      readText('HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\ncontent-length: 0\r\n\r\n') ?? {};
    expect(headers).toMatchObject({ constructor: 'b' });
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
  });
});

/** What Node.js reads of the same bytes; null: it refuses them or finds them cut off. */
function readByNode(text: string): Promise<Pick<Read, 'status' | 'body'> | null> {
  return new Promise((resolve) => {
    const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const sent = request({ createConnection: () => duplex as never, method: 'POST' }, (answer) => {
      const body: Buffer[] = [];
      answer.on('data', (piece: Buffer) => body.push(piece));
      answer.on('error', () => resolve(null));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(body).toString('latin1') }));
    });
    sent.on('error', () => resolve(null));
    sent.on('upgrade', () => resolve(null));
    sent.end();
    duplex.push(Buffer.from(text, 'latin1'));
    duplex.push(null);
  });
}

describe('an answer with a fault in it', () => {
  const pieces = [
    '\r',
    '\n',
    '\0',
    ' ',
    ':',
    '0',
    '1',
    'a',
    ',',
    ';',
    '\r\n',
    '\r\n\r\n',
    '-',
    'close',
    'chunked',
    'HTTP/1.1 ',
  ];
  const faulty = fc.record({
    isChunked: fc.boolean(),
    place: fc.nat(),
    cut: fc.integer({ min: 0, max: 3 }),
    put: fc.constantFrom('', ...pieces),
  });

  it('is never read otherwise than Node.js reads it', async () => {
    let both = 0;
    await fc.assert(
      fc.asyncProperty(faulty, async ({ isChunked, place, cut, put }) => {
        const framed = isChunked
          ? `transfer-encoding: chunked\r\n\r\n${chunked('{"a":"b"}', [4])}`
          : 'content-length: 9\r\n\r\n{"a":"b"}';
        const whole = `HTTP/1.1 200 OK\r\nx-id: 1\r\n${framed}`;
        const at = place % whole.length;
        const text = whole.slice(0, at) + put + whole.slice(at + cut);
        const ours = ((): Read | null => {
          try {
            return readText(text);
          } catch {
            return null;
          }
        })();
        const theirs = await readByNode(text);
        if (ours === null || theirs === null) return;
        both += 1;
        expect({ status: ours.status, body: ours.body }).toEqual(theirs);
      }),
      { numRuns: 1_500 },
    );
    expect(both).toBeGreaterThan(200);
  });
});
