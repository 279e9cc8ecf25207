import { createHash, createHmac } from 'node:crypto';

/** Credentials of AWS, as they are for one moment. */
export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** Where a signature is valid. */
export interface SigningScope {
  region: string;
  /** The signing name: `bedrock`, `s3`. */
  service: string;
}

export interface SignableRequest {
  method: string;
  /** Absolute, percent-encoded as it goes over the wire. */
  url: string;
  /** Without `host` and `authorization`; all of them are signed. Lower-case names. */
  headers: Readonly<Record<string, string>>;
  body: string | Uint8Array;
}

/**
 * The headers of a request with those of AWS Signature Version 4 added (AWS IAM user guide, "Create a signed AWS API
 * request"). Pure: the time is an argument, in Unix milliseconds.
 */
export function signRequest(
  request: SignableRequest,
  credentials: AwsCredentials,
  scope: SigningScope,
  nowMs: number,
): Record<string, string> {
  const url = new URL(request.url);
  const time = amzDate(nowMs);
  const payloadHash = sha256(request.body);
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-date': time,
    ...(scope.service === 's3' && { 'x-amz-content-sha256': payloadHash }),
    ...(credentials.sessionToken !== undefined && { 'x-amz-security-token': credentials.sessionToken }),
  };
  const signedHeaders = { ...headers, host: url.host };
  const names = Object.keys(signedHeaders).sort();
  const signature = signatureOf(
    { method: request.method, url, headers: signedHeaders, names, payloadHash },
    credentials.secretAccessKey,
    scope,
    time,
  );
  const credential = `${credentials.accessKeyId}/${scopeText(scope, time)}`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return headers;
}

/** What a signature covers. */
export interface CanonicalInput {
  method: string;
  url: URL;
  /** Lower-case names; holds every name of `names`. */
  headers: Readonly<Record<string, string>>;
  /** Names of the signed headers, sorted. */
  names: readonly string[];
  payloadHash: string;
}

/** The signature, in hex. `time` as in `x-amz-date`. */
export function signatureOf(input: CanonicalInput, secretAccessKey: string, scope: SigningScope, time: string): string {
  const text = ['AWS4-HMAC-SHA256', time, scopeText(scope, time), sha256(canonicalRequest(input, scope))].join('\n');
  return createHmac('sha256', signingKey(secretAccessKey, scope, time))
    .update(text)
    .digest('hex');
}

/** The key that signs for a day, a region and a service. */
export function signingKey(secretAccessKey: string, { region, service }: SigningScope, time: string): Buffer {
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of [time.slice(0, 8), region, service, 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return key;
}

/** `<day>/<region>/<service>/aws4_request` */
export function scopeText({ region, service }: SigningScope, time: string): string {
  return `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
}

function canonicalRequest(input: CanonicalInput, { service }: SigningScope): string {
  const { method, url, headers, names, payloadHash } = input;
  return [
    method,
    // Every service but S3 encodes the encoded path once more.
    service === 's3' ? url.pathname : url.pathname.split('/').map(encodeStrictly).join('/'),
    canonicalQuery(url),
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    payloadHash,
  ].join('\n');
}

function canonicalQuery(url: URL): string {
  const pairs = url.search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return `${encodeStrictly(decodeURIComponent(name))}=${encodeStrictly(decodeURIComponent(value))}`;
    });
  return pairs.sort().join('&');
}

/** encodeURIComponent leaves five characters that AWS encodes. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `20260102T030405Z` */
export function amzDate(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

export function sha256(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
