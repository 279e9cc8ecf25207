import fc from 'fast-check';
import { callText } from './call-servers.ts';

const CHUNKED = '5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n';
/** For bodies: what would be a call if somebody took the body's length for another one. */
const HIDDEN = callText('{"hidden":true}', 'x-request-id: hidden\r\n');

const body = fc.constantFrom(
  '{"a":1}',
  '{"a":2}',
  '{"a":3}',
  '',
  `{"a":"${HIDDEN}"}`,
  HIDDEN,
  CHUNKED,
  '\r\n\r\n',
  'ü\u0000\r',
  'x'.repeat(3_000),
);
const endpoint = fc.constantFrom('/v1/chat/completions', '/v1/embeddings');
const headers = fc.subarray([
  'x-request-id: r1\r\n',
  'X-Weir-Config:  mini \t\r\n',
  'Connection: Keep-Alive\r\n',
  'accept: */*\r\n',
  'x-empty:\r\n',
]);

/** Calls as clients send them. */
export const call = fc
  .tuple(body, endpoint, headers)
  .map(([text, path, lines]) => callText(text, lines.join(''), path));

const LENGTHS = ['0', '07', '+7', '7, 7', '7 7', '0x7', '99999999999999999999', '9', '-1', '', '7 \t'];
const CODINGS = ['chunked', 'identity', 'gzip, chunked', '\x0bchunked', 'chunked, identity'];
const CONNECTIONS = ['close', 'upgrade', 'keep-alive, close', 'Keep-Alive', 'te, close'];

/** Lines of a head that make it another message than it seems, or none at all. */
const ODD_LINES = [
  ...LENGTHS.map((length) => `content-length: ${length}`),
  ...CODINGS.map((coding) => `Transfer-Encoding: ${coding}`),
  ...CONNECTIONS.map((connection) => `connection: ${connection}`),
  ...['content-length : 7', 'content-length\t: 7', 'transfer-encoding : chunked', ' transfer-encoding: chunked'],
  ...['te: trailers', 'trailer: x', 'proxy-connection: close', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__'],
  ...['expect: 100-continue', 'keep-alive: timeout=1', 'host: other', 'host:', 'idempotency-key: one'],
  ...[
    'content-encoding: identity',
    'authorization: Bearer other',
    'x-request-id: r3',
    'api-key: k',
    'x-weir-config: b',
  ],
  ...[' folded: 1', '\tfolded', ': nameless', 'no colon', 'na me: 1', 'n\u00fcl: 1', 'value: \u00fc', 'value: \u0000'],
  ...['value: \u007f', 'value: a\rb', 'value: a\nb', 'value: a\ntransfer-encoding: chunked', 'empty:', ''],
];
const STARTS = [
  'POST /v1/chat/completions HTTP/1.0',
  'POST /v1/chat/completions HTTP/1.2',
  'post /v1/chat/completions HTTP/1.1',
  'POST /v1/chat/completions?a=1 HTTP/1.1',
  'POST  /v1/chat/completions HTTP/1.1',
  'POST /v1/chat/completions  HTTP/1.1',
  'POST /v1/chat/completions HTTP/1.1 ',
  'POST http://weir/v1/chat/completions HTTP/1.1',
  'POST /v1/files HTTP/1.1',
  'GET /v1/models HTTP/1.1',
  'CONNECT weir:80 HTTP/1.1',
  'PRI * HTTP/2.0',
  'POST /v1/chat/completions',
  '\r\nPOST /v1/chat/completions HTTP/1.1',
];

const oddLine = fc.constantFrom(...ODD_LINES);
const place = fc.nat(3);

const withOddLine = fc.tuple(call, oddLine, place, fc.boolean()).map(([text, line, at, isMore]) => {
  const lines = text.split('\r\n');
  const name = /^[a-z-]+/i.exec(line)?.[0].toLowerCase();
  const same = lines.findIndex((each) => name !== undefined && each.toLowerCase().startsWith(name));
  lines.splice(isMore || same < 1 ? 1 + at : same, isMore ? 0 : 1, line);
  return lines.join('\r\n');
});

const oddByte = fc.oneof(fc.constantFrom(0, 9, 10, 13, 32, 58, 127, 128, 255), fc.nat(255));
const withOddByte = fc.tuple(call, fc.nat(150), oddByte, fc.boolean()).map(([text, at, byte, isMore]) => {
  return text.slice(0, at) + String.fromCharCode(byte) + text.slice(isMore ? at : at + 1);
});

const withOddStart = fc.tuple(call, fc.constantFrom(...STARTS)).map(([text, start]) => {
  return start + text.slice(text.indexOf('\r\n'));
});

const withOddEndings = fc.tuple(call, fc.constantFrom('\n', '\r', '\r\r\n')).map(([text, ending]) => {
  const end = text.indexOf('\r\n\r\n') + 4;
  return text.slice(0, end).replaceAll('\r\n', ending) + text.slice(end);
});

/** Calls of which some part is another one than it should be. */
export const oddCall = fc.oneof(
  { weight: 6, arbitrary: withOddLine },
  { weight: 4, arbitrary: withOddByte },
  { weight: 2, arbitrary: withOddStart },
  { weight: 1, arbitrary: withOddEndings },
);
