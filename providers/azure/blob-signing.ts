import { createHmac } from 'node:crypto';

/** How Azure Storage is told who calls; exactly one is given. */
export interface BlobCredentials {
  sas_token?: string | undefined;
  account_key?: string | undefined;
  /** A Microsoft Entra token for storage; one for Azure OpenAI is not accepted there. */
  ad_token?: string | undefined;
}

export interface SignableBlobRequest {
  method: string;
  url: URL;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** Bytes of the body. */
  length: number;
}

/** Service version whose rules are followed: an empty Content-Length is signed as nothing. */
const version = '2021-12-02';

/** The address and headers to send a request with. Pure; `nowMs` dates the signature, which is good for 15 minutes. */
export function signBlobRequest(request: SignableBlobRequest, credentials: BlobCredentials, nowMs: number) {
  const headers: Record<string, string> = {
    ...request.headers,
    'x-ms-date': new Date(nowMs).toUTCString(),
    'x-ms-version': version,
  };
  const { sas_token: sas, account_key: key, ad_token: token } = credentials;
  const url = new URL(request.url);
  if (sas !== undefined) {
    const own = url.search.slice(1);
    url.search = [own, sas.replace(/^\?/, '')].filter((part) => part !== '').join('&');
  } else if (key !== undefined) {
    const account = url.hostname.split('.')[0] ?? '';
    const text = stringToSign({ ...request, headers }, account);
    const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
    headers.authorization = `SharedKey ${account}:${signature}`;
  } else headers.authorization = `Bearer ${token ?? ''}`;
  return { url: url.href, headers };
}

const signedHeaders = ['content-md5', 'content-type', 'date', 'if-modified-since', 'if-match', 'if-none-match'];

/** learn.microsoft.com, Authorize with Shared Key: the string of Blob Storage. */
export function stringToSign({ method, url, headers, length }: SignableBlobRequest, account: string): string {
  const own = Object.keys(headers).filter((name) => name.startsWith('x-ms-'));
  const parameters = [...url.searchParams].map(([name, value]) => `\n${name.toLowerCase()}:${value}`).toSorted();
  return [
    method,
    headers['content-encoding'] ?? '',
    headers['content-language'] ?? '',
    length === 0 ? '' : String(length),
    ...signedHeaders.map((name) => headers[name] ?? ''),
    headers['if-unmodified-since'] ?? '',
    headers.range ?? '',
    ...own.toSorted().map((name) => `${name}:${headers[name]?.trim() ?? ''}`),
    `/${account}${url.pathname}${parameters.join('')}`,
  ].join('\n');
}
