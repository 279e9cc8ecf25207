import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startVertexServer, type VertexServer } from '../../../providers/sandbox/servers/vertex.ts';
import { type GoogleCredentialSettings, GoogleTokens } from '../../../providers/shared/google-auth.ts';
import { createProvider, problemsOf } from '../kinds.ts';
import { closedUrl } from '../scripted-server.ts';
import { entryOf } from './batch-subject.ts';

describe('access tokens of Google', () => {
  let server: VertexServer;
  let folder: string;
  beforeEach(async () => {
    server = await startVertexServer();
    folder = await mkdtemp(join(tmpdir(), 'weir-google-'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await server.stop();
    await rm(folder, { recursive: true });
  });

  const call = (changes: object = {}) => ({ nowMs: Date.now(), timeoutMs: 5000, ...changes });
  const tokensOf = (settings: GoogleCredentialSettings) => new GoogleTokens('vx', settings);
  const keyed = (changes: object = {}) => tokensOf({ credentials: { ...server.credentials, ...changes } });

  function failureOf(promise: Promise<string>) {
    return promise.then(
      (token) => Promise.reject(new Error(`got ${token}`)),
      (error: unknown) => (error as { failure: object }).failure,
    );
  }

  it('come from a signed service account key, inline or in a file', async () => {
    expect(server.tokens.accepts(await keyed().get(call()))).toBe(true);
    const path = join(folder, 'sa.json');
    await writeFile(path, JSON.stringify(server.credentials));
    const fromFile = tokensOf({ credentials_file: path, token_url: server.tokenUrl });
    expect(server.tokens.accepts(await fromFile.get(call()))).toBe(true);
    const escaped = server.credentials.private_key.replaceAll('\n', '\\n');
    expect(server.tokens.accepts(await keyed({ private_key: escaped }).get(call()))).toBe(true);
  });

  it('are not fetched from where a redirect leads', async () => {
    const paths: string[] = [];
    const elsewhere = createServer((request, response) => {
      paths.push(request.url ?? '');
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    elsewhere.listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const { port } = elsewhere.address() as AddressInfo;
    const tokens = tokensOf({ credentials: { ...server.credentials }, token_url: `http://127.0.0.1:${port}/token` });
    expect(await failureOf(tokens.get(call()))).toMatchObject({ code: expect.any(String) });
    elsewhere.close();
    expect(new Set(paths)).toEqual(new Set(['/token']));
  });

  it('are fetched once for all that wait, and kept', async () => {
    const tokens = keyed();
    const all = await Promise.all(Array.from({ length: 50 }, () => tokens.get(call())));
    expect(new Set(all).size).toBe(1);
    await tokens.get(call());
    expect(server.counters.tokens).toBe(1);
  });

  it('are renewed before they end, while the old one still serves', async () => {
    const tokens = keyed();
    const first = await tokens.get(call());
    const almost = Date.now() + 3_500_000;
    expect(await tokens.get(call({ nowMs: almost }))).toBe(first);
    await vi.waitFor(async () => expect(await tokens.get(call())).not.toBe(first), { timeout: 2000 });
    expect(server.counters.tokens).toBe(2);
  });

  it('outlive trouble of the token endpoint as long as they are good', async () => {
    const tokens = keyed();
    const first = await tokens.get(call());
    await server.crash();
    expect(await tokens.get(call({ nowMs: Date.now() + 3_400_000 }))).toBe(first);
    expect(await failureOf(tokens.get(call({ nowMs: Date.now() + 3_590_000 })))).toMatchObject({
      kind: 'connection',
      reachedProvider: false,
    });
  });

  it('are fetched anew when a service refused one', async () => {
    const tokens = keyed();
    const first = await tokens.get(call());
    tokens.forget('another');
    expect(await tokens.get(call())).toBe(first);
    tokens.forget(first);
    expect(await tokens.get(call())).not.toBe(first);
  });

  it('come from the metadata server where there is no key', async () => {
    vi.stubEnv('GCE_METADATA_HOST', server.url.replace('http://', ''));
    vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '');
    vi.stubEnv('HOME', folder);
    // Nor is any program started that would take its time.
    await writeFile(join(folder, 'gcloud'), `#!/bin/sh\ntouch '${folder}/started'\nexec sleep 10\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
    expect(server.tokens.accepts(await tokensOf({}).get(call()))).toBe(true);
    expect(existsSync(join(folder, 'started'))).toBe(false);
  });

  it('are exchanged for a workload identity', async () => {
    const subject = join(folder, 'subject');
    await writeFile(subject, 'a-token-of-the-cluster');
    const credentials = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${server.url}/sts/v1/token`,
      credential_source: { file: subject },
    };
    expect(server.tokens.accepts(await tokensOf({ credentials }).get(call()))).toBe(true);
  });

  it('are refused with the service’s reason, without the key', async () => {
    const other = await startVertexServer();
    const failure = await failureOf(keyed({ private_key: other.credentials.private_key }).get(call()));
    await other.stop();
    expect(failure).toMatchObject({ kind: 'authentication', code: 'invalid_credentials', reachedProvider: false });
    expect(JSON.stringify(failure)).toContain('invalid_grant');
    expect(JSON.stringify(failure)).not.toContain('PRIVATE KEY');
    const broken = await failureOf(keyed({ private_key: 'canary-no-pem' }).get(call()));
    expect(broken).toMatchObject({ kind: 'authentication' });
    expect(JSON.stringify(broken)).not.toContain('canary');
    const missing = await failureOf(tokensOf({ credentials_file: join(folder, 'none.json') }).get(call()));
    expect(missing).toMatchObject({ kind: 'authentication', message: expect.stringContaining('ENOENT') });
    expect(JSON.stringify(missing)).not.toContain(folder);
  });

  it('do not hold up a call beyond its time, or when it is aborted', async () => {
    server.configure({ faults: [{ on: '/token', fault: 'hang', times: 9 }] });
    const tokens = keyed();
    expect(await failureOf(tokens.get(call({ timeoutMs: 100 })))).toMatchObject({ kind: 'timeout' });
    expect(await failureOf(tokens.get(call({ signal: AbortSignal.timeout(50) })))).toMatchObject({
      kind: 'interrupted',
    });
  });

  it('say that the network is at fault when it is', async () => {
    const away = tokensOf({ credentials: { ...server.credentials }, token_url: await closedUrl() });
    expect(await failureOf(away.get(call()))).toMatchObject({ kind: 'connection', reachedProvider: false });
  });

  it('and keys do not show when the provider is printed', async () => {
    const provider = createProvider('vertex', entryOf(server));
    const printed = inspect(provider, { depth: 10, showHidden: true }) + JSON.stringify(provider) + String(provider);
    expect(printed).not.toContain('PRIVATE KEY');
  });
});

describe('the config of Vertex AI', () => {
  const entry = { project: 'my-project' };
  const key = { type: 'service_account', client_email: 'a@b', private_key: 'canary' };

  it.each([
    [{}, 'project'],
    [{ project: '../x' }, 'project'],
    [{ ...entry, location: 'us-central1.evil.com/' }, 'location'],
    [{ ...entry, bucket: 'gs://b' }, 'bucket'],
    [{ ...entry, prefix: '../other' }, 'prefix'],
    [{ ...entry, prefix: 'a//b' }, 'prefix'],
    [{ ...entry, base_url: 'http://evil.example.com' }, 'base_url'],
    [{ ...entry, storage_endpoint: 'http://evil.example.com' }, 'storage_endpoint'],
    [{ ...entry, token_url: 'http://evil.example.com' }, 'token_url'],
    [{ ...entry, bucket: 'work', file_buckets: ['work'] }, 'file_buckets'],
    [{ ...entry, access_token: 't', credentials: key }, 'access_token'],
    [{ ...entry, credentials: { type: 'canary' } }, 'credentials'],
    [{ ...entry, credentials: '{"type": "canary"' }, 'credentials'],
    [{ ...entry, credentials: { ...key, client_email: undefined } }, 'credentials'],
    [{ ...entry, region: 'x' }, ''],
  ])('is refused: %j', (bad, path) => {
    const problems = problemsOf('vertex', bad);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.startsWith(path)).toBe(true);
    expect(problems[0]).not.toContain('canary');
  });

  it('takes a key as an object or as text, locations of all kinds, and no batches without a bucket', () => {
    expect(problemsOf('vertex', { ...entry, credentials: key })).toEqual([]);
    expect(problemsOf('vertex', { ...entry, credentials: JSON.stringify(key) })).toEqual([]);
    const member = (location: string) => createProvider('vertex', { ...entry, location }).immediate?.members;
    expect(member('global')).toEqual(['https://aiplatform.googleapis.com']);
    expect(member('europe-west4')).toEqual(['https://europe-west4-aiplatform.googleapis.com']);
    expect(createProvider('vertex', entry).batch).toBeUndefined();
    expect(createProvider('vertex', { ...entry, bucket: 'work' }).batch).toBeDefined();
  });
});
