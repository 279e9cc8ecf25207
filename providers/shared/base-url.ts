import { z } from 'zod';

/** A server's address as the operator writes it; http or https. */
export const baseUrl = z.string().superRefine((text, context) => {
  const message = problemOf(text);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

/** Refuses plain http to a public host, where a key would travel readable, unless the operator says `allow_http: true`. */
export function refuseOpenHttp(
  url: string | undefined,
  allowHttp: boolean | undefined,
  path: string,
  context: z.RefinementCtx,
): void {
  if (url === undefined || allowHttp === true || !URL.canParse(url)) return;
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isPrivateHost(hostname)) return;
  context.addIssue({ code: 'custom', path: [path], message: 'must be https, or say allow_http: true' });
}

/** What is wrong with a base URL, without repeating it: it may hold a password. */
function problemOf(text: string): string | null {
  if (!URL.canParse(text)) return 'must be an absolute URL such as http://10.0.0.5:8000/v1';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password; use api_key';
  if (url.search !== '' || url.hash !== '') return 'must not hold a query or fragment';
  return null;
}

const privateNames = /^(localhost|[^.]+|.+\.(localhost|local|internal|lan|home\.arpa|svc|svc\.cluster\.local))\.?$/i;

/** True for loopback, RFC 1918 and unique-local addresses, and for names that only an own network resolves. */
export function isPrivateHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return /^\[(::1|f[cd][0-9a-f]{2}:.*)\]$/i.test(hostname);
  const octets = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(hostname);
  if (octets === null) return privateNames.test(hostname);
  const first = Number(octets[1]);
  const second = Number(octets[2]);
  return (
    first === 127 || first === 10 || (first === 192 && second === 168) || (first === 172 && second >= 16 && second < 32)
  );
}
