import { createSign } from 'node:crypto';
import { GoogleAuth } from 'google-auth-library';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidSettings } from '../../../providers/sandbox/servers/settings.ts';
import { startVertexServer, type VertexServer } from '../../../providers/sandbox/servers/vertex.ts';

describe('the simulated Vertex AI', () => {
  let server: VertexServer;
  beforeEach(async () => {
    server = await startVertexServer({ job_ms: null });
  });
  afterEach(() => server.stop());

  /** Google's own client, which leads its fixed token address to the simulator. */
  function client(): GoogleAuth {
    const lead: typeof fetch = (input, init) =>
      fetch(String(input) === 'https://oauth2.googleapis.com/token' ? server.tokenUrl : input, init);
    return new GoogleAuth({
      credentials: { ...server.credentials },
      scopes: ['https://www.googleapis.com/auth/cloud-platform'],
      clientOptions: { transporterOptions: { fetchImplementation: lead } },
    });
  }

  const jobsPath = '/v1/projects/sim-project/locations/us-central1/batchPredictionJobs';
  const line = '{"request":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}}\n';

  async function createJob(auth: GoogleAuth): Promise<string> {
    const upload = `${server.url}/upload/storage/v1/b/sim-bucket/o?uploadType=media&name=in.jsonl`;
    await auth.request({ url: upload, method: 'POST', body: line });
    const { data } = await auth.request<{ name: string; state: string }>({
      url: server.url + jobsPath,
      method: 'POST',
      data: {
        displayName: 'mine',
        model: 'publishers/google/models/gemini-2.5-flash',
        inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://sim-bucket/in.jsonl'] } },
        outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'gs://sim-bucket/out' } },
        labels: { team: 'a' },
      },
    });
    expect(data).toMatchObject({ state: 'JOB_STATE_QUEUED', displayName: 'mine' });
    return data.name;
  }

  it('serves Google’s own client: token, upload, job, output', async () => {
    const auth = client();
    const name = await createJob(auth);
    expect(name).toMatch(/^projects\/\d{12}\/locations\/us-central1\/batchPredictionJobs\/\d{19}$/);
    const states: string[] = [];
    let job: { state: string; outputInfo?: { gcsOutputDirectory: string }; completionStats?: object } = { state: '' };
    for (let step = 0; step < 4; step += 1) {
      ({ data: job } = await auth.request<typeof job>({ url: `${server.url}/v1/${name}` }));
      states.push(job.state);
      if (step < 3) expect(job.outputInfo).toBeUndefined();
      server.advance();
    }
    expect(states).toEqual(['QUEUED', 'PENDING', 'RUNNING', 'SUCCEEDED'].map((word) => `JOB_STATE_${word}`));
    expect(job.completionStats).toEqual({ successfulCount: '1', incompleteCount: '-1' });
    const directory = job.outputInfo?.gcsOutputDirectory.replace('gs://sim-bucket/', '') ?? '';
    expect(directory).toMatch(/^out\/prediction-model-\d{4}-/);
    const list = `${server.url}/storage/v1/b/sim-bucket/o?prefix=${encodeURIComponent(directory)}`;
    const { data } = await auth.request<{ items: { name: string; size: string }[] }>({ url: list });
    expect(data.items.map((item) => item.name.split('/').at(-1))).toEqual(['_SUCCESS', 'predictions.jsonl']);
    const object = encodeURIComponent(`${directory}/predictions.jsonl`);
    const download = await auth.request<string>({
      url: `${server.url}/storage/v1/b/sim-bucket/o/${object}?alt=media`,
      responseType: 'text',
    });
    expect(JSON.parse(download.data)).toMatchObject({
      status: '',
      request: { contents: [{ parts: [{ text: 'Hi', file_data: null }] }] },
      response: { candidates: [{ finishReason: 'STOP' }], usageMetadata: { promptTokenCount: expect.any(Number) } },
    });
  });

  it('cancels on the way, with half of the output, and refuses to cancel twice', async () => {
    const auth = client();
    const name = await createJob(auth);
    const url = `${server.url}/v1/${name}`;
    expect((await auth.request({ url: `${url}:cancel`, method: 'POST', data: {} })).data).toEqual({});
    server.advance();
    expect((await auth.request({ url })).data).toMatchObject({ state: 'JOB_STATE_CANCELLING' });
    server.advance();
    expect((await auth.request({ url })).data).toMatchObject({ state: 'JOB_STATE_CANCELLED' });
    await expect(auth.request({ url: `${url}:cancel`, method: 'POST', data: {} })).rejects.toMatchObject({
      status: 400,
    });
  });

  it('answers the same question with the same words, and refuses fields it does not know', async () => {
    const auth = client();
    const url = `${server.url}/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent`;
    const ask = (data: object) => auth.request({ url, method: 'POST', data });
    const data = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] };
    expect((await ask(data)).data).toEqual((await ask(data)).data);
    await expect(ask({ ...data, model: 'x' })).rejects.toMatchObject({ status: 400 });
    await expect(ask({ contents: [] })).rejects.toMatchObject({ status: 400 });
    await expect(ask({ contents: [{ role: 'user', parts: [{ text: '' }] }] })).rejects.toMatchObject({ status: 400 });
  });

  function assertion(changes: object, header: object = { alg: 'RS256', typ: 'JWT' }): string {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: server.credentials.client_email,
      aud: 'https://oauth2.googleapis.com/token',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      iat: now,
      exp: now + 3600,
      ...changes,
    };
    const text = `${encode(header)}.${encode(claims)}`;
    return `${text}.${createSign('RSA-SHA256').update(text).sign(server.credentials.private_key, 'base64url')}`;
  }

  async function exchange(jwt: string): Promise<number> {
    const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: jwt });
    const response = await fetch(server.tokenUrl, { method: 'POST', body });
    await response.arrayBuffer();
    return response.status;
  }

  it('looks at what a JWT says and how it is signed', async () => {
    const now = Math.floor(Date.now() / 1000);
    expect(await exchange(assertion({}))).toBe(200);
    expect(await exchange(assertion({ aud: 'https://elsewhere' }))).toBe(400);
    expect(await exchange(assertion({ iss: 'someone@else' }))).toBe(400);
    expect(await exchange(assertion({ scope: 'https://www.googleapis.com/auth/drive' }))).toBe(400);
    expect(await exchange(assertion({ iat: now - 7200, exp: now - 3600 }))).toBe(400);
    expect(await exchange(assertion({ exp: now + 86_400 }))).toBe(400);
    expect(await exchange(assertion({}, { alg: 'none', typ: 'JWT' }))).toBe(400);
    const [head, , signature] = assertion({}).split('.');
    const other = Buffer.from('{"iss":"x"}').toString('base64url');
    expect(await exchange(`${head}.${other}.${signature}`)).toBe(400);
  });

  it('refuses requests without a good token', async () => {
    const response = await fetch(`${server.url}${jobsPath}`, { headers: { authorization: 'Bearer ya29.made-up' } });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { status: 'UNAUTHENTICATED' } });
    expect(server.counters.unauthorized).toBe(1);
  });

  it('names the setting that is wrong, and then changes nothing', () => {
    expect(() => server.configure({ output_shards: 0, seed: 5 })).toThrow(InvalidSettings);
    expect(() => server.configure({ shards: 2 } as object)).toThrow(/shards/);
  });
});
