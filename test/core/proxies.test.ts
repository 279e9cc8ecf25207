import { describe, expect, it } from 'vitest';
import { type Proxies, readProxies } from '../../src/core/proxies.ts';

function proxiesOf(environment: Record<string, string>): Proxies {
  const read = readProxies(environment);
  if (!read.ok || read.value === null) throw new Error(JSON.stringify(read));
  return read.value;
}

const URLS = ['https://api.example.com/v1', 'http://pool.example.com:8000/v1'].map((url) => new URL(url));
const through = (environment: Record<string, string>) =>
  URLS.map((url) => proxiesOf(environment).of(url)?.url ?? 'direct');

describe('the proxies of an environment', () => {
  it('are none where none is set', () => {
    for (const environment of [{}, { HTTP_PROXY: '', NO_PROXY: '*' }]) {
      expect(readProxies(environment)).toEqual({ ok: true, value: null });
    }
  });

  it('are by scheme, in small letters first, and ALL_PROXY where there is no other', () => {
    expect(through({ HTTPS_PROXY: 'http://a:1' })).toEqual(['http://a:1', 'direct']);
    expect(through({ HTTP_PROXY: 'http://a:1' })).toEqual(['direct', 'http://a:1']);
    expect(through({ https_proxy: 'http://b:2', HTTPS_PROXY: 'http://a:1', ALL_PROXY: 'http://c:3' })).toEqual([
      'http://b:2',
      'http://c:3',
    ]);
  });

  it('are read with credentials and without a scheme', () => {
    expect(proxiesOf({ ALL_PROXY: 'proxy:3128' }).https).toMatchObject({ isTls: false, hostname: 'proxy', port: 3128 });
    expect(proxiesOf({ ALL_PROXY: 'https://us%40er:p%3A%C3%A9@[::1]' }).https).toEqual({
      isTls: true,
      hostname: '::1',
      port: 443,
      authorization: `Basic ${Buffer.from('us@er:p:é').toString('base64')}`,
      url: 'https://us%40er:p%3A%C3%A9@[::1]',
    });
    expect(proxiesOf({ ALL_PROXY: 'u:50%off@proxy' }).https?.url).toBe('http://u:50%25off@proxy');
  });

  it.each(['socks5://proxy:1080', 'http://', 'not a proxy', 'http://secret@proxy:port'])(
    'are refused as %s',
    (value) => {
      const read = readProxies({ HTTPS_PROXY: value });
      expect(read).toEqual({ ok: false, problems: [{ path: 'HTTPS_PROXY', message: expect.any(String) }] });
      expect(JSON.stringify(read)).not.toMatch(/secret|socks5/);
    },
  );

  it.each([
    ['api.example.com', 'https://api.example.com', true],
    ['example.com', 'https://api.example.com', true],
    ['.example.com', 'https://api.example.com', true],
    ['*.EXAMPLE.com', 'https://API.example.com', true],
    ['example.com', 'https://badexample.com', false],
    ['example.com:8443', 'https://example.com', false],
    ['example.com:443', 'https://example.com', true],
    ['10.0.0.0/8', 'http://10.1.2.3:8000', true],
    ['10.0.0.0/8', 'http://11.1.2.3:8000', false],
    ['10.1.2.3:8000', 'http://10.1.2.3:8000', true],
    ['10.1.2.3:8001', 'http://10.1.2.3:8000', false],
    ['fd00::/8', 'http://[fd00::1]:8000', true],
    ['[fd00::1]:8000', 'http://[fd00:0::1]:8000', true],
    ['a, b example.com', 'https://example.com', true],
    ['*', 'https://example.com', true],
    ['', 'http://localhost:8000', true],
    ['', 'http://127.0.0.9:8000', true],
    ['', 'http://[::1]:8000', true],
    ['', 'https://example.com', false],
  ])('with NO_PROXY=%j lead to %s: direct is %s', (list, url, isDirect) => {
    const proxies = proxiesOf({ ALL_PROXY: 'http://proxy:3128', NO_PROXY: list });
    expect(proxies.of(new URL(url)) === null).toBe(isDirect);
  });

  it('are told to Node.js in its words', () => {
    const { environment } = proxiesOf({
      HTTPS_PROXY: 'u:p@proxy:3128',
      NO_PROXY: 'corp.example:8000 10.0.0.0/8 fd00::1',
    });
    expect(environment).toEqual({
      https_proxy: 'http://u:p@proxy:3128',
      no_proxy:
        'localhost,.localhost,127.0.0.0-127.255.255.255,::1,corp.example:8000,.corp.example:8000,10.0.0.0-10.255.255.255,fd00::1',
    });
  });
});
