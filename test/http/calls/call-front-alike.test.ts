import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CallServer, startCallServer } from './call-servers.ts';
import { call, oddCall } from './messages.ts';

let plain: CallServer;
let fronted: CallServer;
let byEvents: CallServer;

beforeAll(async () => {
  plain = await startCallServer(false);
  fronted = await startCallServer(true);
  byEvents = await startCallServer(true, true);
});

afterAll(async () => {
  await plain.stop();
  await fronted.stop();
  await byEvents.stop();
});

/** Sends the pieces and an end to each of them; what it has read, and what it answered. */
async function each(pieces: readonly Buffer[]): Promise<{ seen: unknown[]; text: string }[]> {
  const outcomes = [];
  for (const server of [plain, fronted, byEvents]) {
    const from = server.seen.length;
    const client = await server.connect();
    await client.send(...pieces);
    client.socket.end();
    await client.closed;
    outcomes.push({ seen: server.seen.slice(from), text: client.text().replaceAll(/Date: [^\r]*/g, 'Date') });
  }
  return outcomes;
}

const cuts = fc.array(fc.nat(), { maxLength: 4 });

function split(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const cut = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return cut.slice(1).map((to, index) => bytes.subarray(cut[index], to));
}

function inAnyOrder(seen: readonly unknown[] = []): string[] {
  return seen.map((each) => JSON.stringify(each)).toSorted();
}

it('whatever comes, in whatever pieces, the same requests are read as by node:http alone', async () => {
  const others = fc.array(fc.oneof(call, oddCall), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(oddCall, others, cuts, async (first, more, places) => {
      const [alone, ...together] = await each(split([first, ...more].join(''), places));
      // Of requests that come together, node:http may begin the second while the first waits for its turn.
      for (const { seen } of together) expect(inAnyOrder(seen)).toEqual(inAnyOrder(alone?.seen));
    }),
    { numRuns: 400 },
  );
});

it('calls one after the other are answered byte for byte as by node:http', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 4 }), cuts, async (texts, places) => {
      const pieces = texts.flatMap((text, index) => split(text, index === 0 ? places : []));
      const [alone, ...together] = await each(pieces);
      for (const outcome of together) expect(outcome).toEqual(alone);
    }),
    { numRuns: 100 },
  );
});
