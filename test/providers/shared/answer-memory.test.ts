import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { AnswerMemory } from '../../../providers/shared/answer-memory.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import { type ScriptedServer, startScriptedServer, until } from '../scripted-server.ts';

const MOST = 100;
const PIECE = 10;

class Answer {
  left: number;
  bytes = 0;
  isPaused = false;

  constructor(pieces: number) {
    this.left = pieces;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}

describe('the memory of answers that come in', () => {
  it('is bounded for all together, and each of them ends, in whatever order their pieces come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.nat(), { minLength: 1 }),
        (sizes, turns) => {
          const memory = new AnswerMemory(MOST);
          const answers = sizes.map((pieces) => new Answer(pieces));
          for (const _ of answers) memory.begin();
          let open = answers;
          for (let turn = 0; open.length > 0; turn++) {
            const coming = open.filter(({ isPaused }) => !isPaused);
            expect(coming.length).toBeGreaterThan(0);
            const answer = coming[(turns[turn % turns.length] as number) % coming.length] as Answer;
            answer.left -= 1;
            answer.bytes += PIECE;
            memory.add(answer, PIECE);
            // Beyond the bound each brings one piece, before it is held back; but for the one that goes on.
            const others = open.filter((each) => each !== answer && each.isPaused).length;
            if (others < open.length - 1) expect(memory.held).toBeLessThanOrEqual(MOST + PIECE * open.length);
            if (answer.left > 0) continue;
            memory.end(answer, answer.bytes);
            open = open.filter((each) => each !== answer);
          }
          expect(memory.held).toBe(0);
        },
      ),
    );
  });
});

describe('an answer that stands still', () => {
  it('holds the others back for a second, one after the other', () => {
    const memory = new AnswerMemory(MOST);
    const [still, ...others] = [new Answer(99), new Answer(1), new Answer(1)];
    for (const each of [still, ...others]) {
      memory.begin();
      memory.add(each as Answer, MOST);
    }
    const paused = () => others.map(({ isPaused }) => isPaused);
    const now = performance.now();
    memory.look(now + 500);
    expect(paused()).toEqual([true, true]);
    memory.look(now + 1_500);
    expect(paused()).toEqual([false, true]);
    memory.look(now + 2_000);
    expect(paused()).toEqual([false, true]);
    memory.look(now + 2_600);
    expect(paused()).toEqual([false, false]);
  });
});

describe('answers beyond the memory for them', () => {
  let http: HttpClient | undefined;
  let server: ScriptedServer | undefined;
  afterEach(async () => {
    await http?.close();
    await server?.close();
  });

  it('come though one of them never becomes whole', async () => {
    const bytes = 400_000;
    let sent = 0;
    server = await startScriptedServer(({ socket }) => {
      sent += 1;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`);
      socket.write('x'.repeat(sent === 1 ? bytes - 1 : bytes));
    });
    const client = createNodeHttpClient({ maxIncomingBytes: bytes / 2 });
    http = client;
    const { url } = server;
    const call = () =>
      client.request({ method: 'POST', url, headers: {}, body: '{}', timeoutMs: 20_000, maxResponseBytes: 2e6 });
    const never = call().catch(() => 'given up');
    await until(() => sent === 1);
    for (const { body } of await Promise.all([call(), call()])) expect(body.length).toBe(bytes);
    await client.close();
    expect(await never).toBe('given up');
  });

  it('are held back until others are whole, and come whole themselves; one may be larger, and one may be given up', async () => {
    const bytes = 1_000_000;
    let sent = 0;
    server = await startScriptedServer(({ socket }) => {
      const body = String.fromCharCode(97 + (sent++ % 26)).repeat(bytes);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`);
      socket.write(body);
    });
    const client = createNodeHttpClient({ maxIncomingBytes: bytes / 2 });
    http = client;
    const { url } = server;
    const call = (signal?: AbortSignal) =>
      client.request({
        method: 'POST',
        url,
        headers: {},
        body: '{}',
        timeoutMs: 20_000,
        maxResponseBytes: 2e6,
        ...(signal && { signal }),
      });
    const givenUp = new AbortController();
    const refused = call(givenUp.signal).catch((error: unknown) => (error as { kind: string }).kind);
    const answers = Array.from({ length: 20 }, () => call());
    await answers[0];
    givenUp.abort();
    for (const { status, body } of await Promise.all(answers)) {
      expect(status).toBe(200);
      expect(body.length).toBe(bytes);
      expect(Buffer.from(body).every((byte) => byte === body[0])).toBe(true);
    }
    // It may have been whole by then.
    if (typeof (await refused) === 'string') expect(await refused).toBe('aborted');
  });
});
