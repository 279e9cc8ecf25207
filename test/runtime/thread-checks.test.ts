import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { InputCheck, InputChecks } from '../../src/ports/input-checks.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { ThreadChecks } from '../../src/runtime/checks/thread-checks.ts';
import { inlineChecks } from '../../src/services/files/line-check.ts';
import { line } from '../services/file-inputs.ts';

let checks = new ThreadChecks();
afterEach(async () => {
  await checks.close();
  checks = new ThreadChecks();
});

const options = { settings: { ...DEFAULT_SETTINGS, maxModels: 3 }, idKey: randomBytes(8) };

/** Everything a check says of a file that comes in blocks of `size` bytes, several of which may be on their way. */
async function checked(from: InputChecks, content: Buffer, size: number) {
  const check = from.open(options);
  const answers = [];
  for (let at = 0; at < content.length; at += size) {
    const memory = check.allocate(size);
    const piece = content.subarray(at, at + size);
    memory.set(piece);
    answers.push(check.take(memory, piece.length));
  }
  const records = [...(await Promise.all(answers)), await check.end()];
  const { sha256, summary, refusal } = records.at(-1) as Awaited<ReturnType<InputCheck['end']>>;
  check.close();
  const bytesOf = (name: 'plan' | 'ids') => Buffer.concat(records.flatMap((record) => record[name])).toString('hex');
  return { sha256, summary, refusal, plan: bytesOf('plan'), ids: bytesOf('ids') };
}

const lines = Array.from({ length: 20_000 }, (_, index) => (index % 500 === 7 ? '{"bad":' : line(`ü-${index}`)));
const content = Buffer.from(lines.join('\n'));

describe('ThreadChecks', () => {
  it('finds in a thread what is found without one, of several files at once', async () => {
    const wanted = await checked(inlineChecks, content, 256 * 1024);
    expect(wanted.summary).toMatchObject({ lines: 20_000, requests: 19_960, errorCount: 40 });
    const found = await Promise.all([256 * 1024, 1_000_003, 40_001].map((size) => checked(checks, content, size)));
    for (const result of found) expect(result).toEqual(wanted);
  });

  it('refuses a file with the error that it is refused with without a thread', async () => {
    for (const text of [
      'no JSON at all',
      '\n\n',
      [1, 2, 3, 4].map((n) => line(n, { body: { model: `m${n}`, messages: [] } })).join('\n'),
    ]) {
      const bytes = Buffer.from(text.replaceAll(/"custom_id":(\d)/g, '"custom_id":"$1"'));
      const { refusal } = await checked(checks, bytes, 64);
      expect(refusal).toEqual((await checked(inlineChecks, bytes, 64)).refusal);
      expect(refusal).toMatchObject({ status: 400, param: 'file' });
    }
  });

  it('fails the checks of a thread that is lost, and takes new files after it', async () => {
    const check = checks.open(options);
    const memory = check.allocate(10);
    const waiting = check.take(memory, 10);
    const closed = checks.close();
    await expect(waiting).rejects.toThrow('lost');
    await expect(check.take(memory, 10)).rejects.toThrow('lost');
    check.close();
    await closed;
    expect((await checked(checks, content, 1_000_003)).summary.requests).toBe(19_960);
  });

  it('ends its thread when no file comes any more, and starts another for the next', async () => {
    checks = new ThreadChecks(undefined, 1);
    for (let round = 0; round < 2; round++) {
      expect((await checked(checks, content, 1_000_003)).summary.requests).toBe(19_960);
      await expect.poll(() => checks.running).toBe(false);
    }
  });

  it('keeps the memory of a file that is over for the next one, and never that of one that was given up', async () => {
    const over = checks.open(options);
    const memory = over.allocate(1_000);
    memory.fill(0x20);
    void over.take(memory, 1_000);
    await over.end();
    over.close();
    const next = checks.open(options);
    const again = next.allocate(1_000);
    expect(again.buffer).toBe(memory.buffer);
    expect(next.allocate(1_000).buffer).not.toBe(memory.buffer);
    next.close();
    const last = checks.open(options);
    expect(last.allocate(1_000).buffer).not.toBe(memory.buffer);
    last.close();
  });

  it('answers nobody who has given up', async () => {
    const check = checks.open(options);
    const memory = check.allocate(1_000);
    const waiting = check.take(memory, 1_000);
    check.close();
    await expect(waiting).rejects.toThrow('given up');
    expect((await checked(checks, content, 1_000_003)).summary.requests).toBe(19_960);
  });
});
