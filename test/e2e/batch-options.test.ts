import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { runCli } from '../runtime/cli-terminal.ts';
import { post } from './answers.ts';
import { assertInvariants } from './invariants.ts';
import { ADMIN_KEY, chatLines, startWeir, temporaryFolder, type Weir, waitForBatch } from './weir.ts';

const FAST = { poll_seconds_min: 1, cancel_seconds: 2 };

describe('what a batch asks of its provider batches', () => {
  let remote: SimulatedBatchServer | undefined;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await remote?.stop();
    remote = undefined;
  });

  async function open(options: Parameters<typeof startOpenAIBatchServer>[0] = {}): Promise<SimulatedBatchServer> {
    remote = await startOpenAIBatchServer(options);
    const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
    weir = await startWeir({ providers: { openai }, settings: FAST });
    return remote;
  }

  /** Runs a batch with these members beside OpenAI's to its end. */
  async function run(input: string, members: object): Promise<BatchObject> {
    const file = await weir.client.files.create({ file: new File([input], 'input.jsonl'), purpose: 'batch' });
    const order = { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', ...members };
    const { body } = await post(weir, '/v1/batches', order);
    await waitForBatch(weir, String(body.id), { seconds: 40 });
    return weir.call<BatchObject>(`/v1/batches/${String(body.id)}`);
  }

  /** The metadata of the batches that the provider was asked for, oldest first. */
  async function remoteMetadata(at: SimulatedBatchServer): Promise<Record<string, string>[]> {
    const answer = await fetch(`${at.baseUrl}/batches`, { headers: { authorization: 'Bearer sk-test' } });
    const page = (await answer.json()) as { data: { metadata: Record<string, string> }[] };
    return page.data.map(({ metadata }) => metadata).toReversed();
  }

  it('reaches the create call of the named provider, and again with a retry', async () => {
    const at = await open({ line_faults: [{ contains: 'Question 3:', status: 400 }] });
    const input = chatLines(5);
    const batch = await run(input, { provider_options: { openai: { metadata: { team: 'search' } } } });
    expect(batch.request_counts).toEqual({ total: 5, completed: 4, failed: 1 });
    const { lines } = await assertInvariants(weir, batch.id, input);
    expect(lines.every((line) => !('raw' in line.weir))).toBe(true);
    at.configure({ line_faults: [] });
    const again = await post(weir, `/v1/batches/${batch.id}/retry`);
    const ended = await waitForBatch(weir, String(again.body.id), { seconds: 40 });
    expect(ended.request_counts).toEqual({ total: 1, completed: 1, failed: 0 });
    const marked = { team: 'search', weir_token: expect.any(String) };
    expect(await remoteMetadata(at)).toEqual([marked, marked]);
  }, 60_000);

  it('fails every line with its reason, in one call and with nothing left behind, when a field is not the client’s to set', async () => {
    const at = await open();
    const input = chatLines(20);
    const batch = await run(input, { provider_options: { openai: { input_file_id: 'file-of-another' } } });
    expect(batch.request_counts).toEqual({ total: 20, completed: 0, failed: 20 });
    expect(batch.shards).toHaveLength(1);
    const { errors, entries } = await assertInvariants(weir, batch.id, input);
    expect(errors.every((line) => line.error?.message.includes('provider_options.input_file_id'))).toBe(true);
    expect(entries).toEqual([]);
    expect(at.counters).toMatchObject({ batches_created: 0, files_uploaded: 0 });
  }, 60_000);

  it('is not blamed on lines when the provider refuses the call: it is made once, not for ever smaller halves', async () => {
    const at = await open({ faults: [{ on: 'create', fault: 400, times: null }] });
    const input = chatLines(20);
    const batch = await run(input, { provider_options: { openai: { metadata: { team: 'search' } } } });
    expect(batch.request_counts).toEqual({ total: 20, completed: 0, failed: 20 });
    expect(at.counters.by_operation.create).toBe(1);
    await assertInvariants(weir, batch.id, input);
    await expect.poll(() => at.held(), { timeout: 10_000 }).toEqual({ live: 0, files: 0 });
  }, 60_000);

  it('keeps the untouched lines of provider batches, successes and failures, beside strict files', async () => {
    await open({ line_faults: [{ contains: 'Question 3:', status: 400 }] });
    const input = chatLines(8);
    const batch = await run(input, { include_raw: true });
    const { output, errors, lines } = await assertInvariants(weir, batch.id, input);
    expect(errors.map((line) => line.custom_id)).toEqual(['request-3']);
    for (const line of lines) {
      const raw = line.weir.raw as { custom_id: string; response: { status_code: number; body: object } };
      // The provider knows the line by Weir's own key, and not by the client's.
      expect(raw.custom_id).not.toBe(line.custom_id);
      expect(raw.response.status_code).toBe(line.response?.status_code);
      if (line.error === null) expect(raw.response.body).toEqual(line.response?.body);
      // The provider gave its error no code; the one that the result names is Weir's.
      else expect(raw.response.body).toMatchObject({ error: { code: null } });
    }
    expect([...output, ...errors].every((line) => !('weir' in line))).toBe(true);
  }, 60_000);

  it('leaves out what an ordinary call answered, after the batch service failed at it', async () => {
    await open({ line_faults: [{ contains: 'Question 3:', status: 500 }] });
    const input = chatLines(8);
    const batch = await run(input, { include_raw: true });
    const { lines } = await assertInvariants(weir, batch.id, input);
    const without = lines.filter((line) => line.weir.raw === undefined);
    expect(without.map((line) => line.custom_id)).toEqual(['request-3']);
  }, 60_000);

  it('comes with weir submit --include-raw, in the lines that it writes', async () => {
    await open();
    const folder = await temporaryFolder();
    const [input, output] = [join(folder, 'in.jsonl'), join(folder, 'out.jsonl')];
    await writeFile(input, chatLines(3));
    const environment = { WEIR_URL: weir.url, WEIR_API_KEY: ADMIN_KEY };
    const ran = await runCli(['submit', input, '--include-raw', '--output', output], { environment });
    expect(ran.exitCode).toBe(0);
    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    await rm(folder, { recursive: true });
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const { response, weir: details } = JSON.parse(line) as OutputLine;
      expect(details.raw).toMatchObject({ response: { body: response?.body } });
    }
  }, 60_000);
});
