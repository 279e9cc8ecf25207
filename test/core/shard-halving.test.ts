import { describe, expect, it } from 'vitest';
import { refusal } from '../../src/core/failure.ts';
import {
  blockOf,
  faultIn,
  isOfCall,
  isRefused,
  isSample,
  isTooMany,
  piecesOf,
  refusedAnyway,
  sampleLines,
  type TriedShard,
  wholeOf,
} from '../../src/core/shard-halving.ts';

const REFUSED = refusal('invalid_request', 'invalid_batch', 'Something is not valid.');

interface Node extends TriedShard {
  from: number;
  to: number;
}

interface Run {
  /** Provider batches that were asked for. */
  jobs: number;
  /** What became of each line. */
  fates: ('taken' | 'refused' | 'whole')[];
}

/**
 * A service that refuses what holds a bad line, in 10 s or at once, and the tree of provider batches that finds them.
 * It takes no fewer than `least` lines at once.
 */
function find(isBad: (line: number) => boolean, lines: number, { least = 1, after = 10 } = {}): Run {
  const nodes = new Map<string, Node>();
  const add = (id: string, from: number, to: number): void => {
    nodes.set(id, { id, from, to, state: 'pending', failure: null, counts: null, submittedAt: null, ranAt: null });
  };
  const fates: Run['fates'] = [];
  const fate = ({ from, to }: Node, word: Run['fates'][number]): void => void fates.fill(word, from, to);
  fates.length = lines;
  add('batch-s0-0', 0, lines);
  const badBefore = new Uint32Array(lines + 1);
  for (let line = 0; line < lines; line++) badBefore[line + 1] = Number(badBefore[line]) + Number(isBad(line));
  let jobs = 0;
  for (let now = 0, isDone = false; !isDone; now += 5) {
    isDone = true;
    const fault = (block: string) =>
      faultIn(block, [...nodes.values()], { now, refusedAfter: after === 0 ? null : after });
    for (const node of [...nodes.values()]) {
      const whole = wholeOf(node.id);
      const block = whole === null ? null : blockOf(whole);
      const isSampled = nodes.has(`${whole}.p`);
      if (node.state === 'pending' && block !== null && isSampled && (isRefused(node) || !isSample(node.id))) {
        const found = fault(block);
        if (found === 'open') isDone = false;
        else if (found === 'whole' || isRefused(node)) {
          node.state = 'done';
          fate(node, found === 'whole' ? 'whole' : 'refused');
        }
        if (found !== 'lines' || isRefused(node)) continue;
      }
      if (node.state === 'pending') {
        Object.assign(node, { state: 'running', submittedAt: now });
        jobs += 1;
        isDone = false;
      }
      if (node.state !== 'running' || now - (node.submittedAt ?? 0) < after) continue;
      if (badBefore[node.to] === badBefore[node.from]) {
        fate(node, 'taken');
        continue;
      }
      node.failure = REFUSED;
      isDone = false;
      const size = node.to - node.from;
      node.state = isSample(node.id) ? 'pending' : 'done';
      if (isSample(node.id)) continue;
      if (size < 2 * least) {
        fate(node, 'refused');
        continue;
      }
      const own = blockOf(node.id);
      const sample = own === null || fault(own) === 'lines' ? 0 : sampleLines(size, least);
      for (const { id, from, to } of piecesOf(node.id, size, sample)) add(id, node.from + from, node.from + to);
    }
    isDone &&= [...nodes.values()].every((node) => node.state !== 'running' || now - (node.submittedAt ?? 0) >= after);
  }
  return { jobs, fates };
}

const count = (run: Run, word: Run['fates'][number]): number => run.fates.filter((fate) => fate === word).length;

/** `lines` numbers of which about a part `p` is true, the same for the same seed. */
function randomly(p: number, lines: number): (line: number) => boolean {
  let state = 7;
  const bad = Array.from({ length: lines }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 < p;
  });
  return (line) => bad[line] === true;
}

describe('the parts of a refused provider batch', () => {
  it.each([0, 1, 24_999, 25_000, 33_333, 49_999])(
    'find line %i of 50,000 in about two for each binary digit',
    (bad) => {
      for (const after of [0, 10, 600]) {
        const run = find((line) => line === bad, 50_000, { after });
        expect(run.jobs).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(50_000)) + 8);
        expect(run.fates.indexOf('refused')).toBe(bad);
        expect(count(run, 'taken')).toBe(49_999);
      }
    },
  );

  it.each([32, 100, 1_000, 50_000])(
    'are 23 at most where all of %i lines are refused, and none is blamed alone',
    (lines) => {
      for (const after of [0, 10, 600]) {
        const run = find(() => true, lines, { after });
        expect(run.jobs).toBeLessThanOrEqual(23);
        expect(count(run, 'whole')).toBe(lines);
      }
    },
  );

  it.each([1, 2, 7, 16])('are each of %i lines alone where those are few', (lines) => {
    const run = find(() => true, lines);
    expect(run.jobs).toBe(2 * lines - 1);
    expect(count(run, 'refused')).toBe(lines);
  });

  it.each([0.001, 0.01, 0.1, 0.3])('lose no good line where a part of %d is bad, wherever those are', (p) => {
    const isBad = randomly(p, 2_000);
    const { fates } = find(isBad, 2_000);
    expect(fates.every((fate, line) => fate === (isBad(line) ? 'refused' : 'taken'))).toBe(true);
  });

  it.each([3, 4, 5, 8])('lose no good line where each %i-th is bad', (period) => {
    const { fates } = find((line) => line % period === 0, 1_024);
    expect(fates.every((fate, line) => fate === (line % period === 0 ? 'refused' : 'taken'))).toBe(true);
  });

  it('tell a block that is bad throughout from the good lines around it', () => {
    const isBad = (line: number) => line >= 1_000 && line < 3_000;
    const run = find(isBad, 5_000);
    expect(run.fates.every((fate, line) => (fate === 'taken') === !isBad(line))).toBe(true);
    expect(run.jobs).toBeLessThan(500);
  });

  it('are never smaller than the service takes', () => {
    expect(find(() => true, 50_000, { least: 100 }).jobs).toBeLessThanOrEqual(23);
    const run = find((line) => line === 777, 50_000, { least: 100 });
    expect(run.jobs).toBeLessThanOrEqual(24);
    expect(run.fates[777]).toBe('refused');
    expect(count(run, 'refused')).toBeLessThan(200);
  });

  it('are too many where they are more than the half price is worth', () => {
    expect([64, 65].map((refused) => isTooMany(refused, 1_000))).toEqual([false, true]);
    expect([1_000, 1_001].map((refused) => isTooMany(refused, 50_000))).toEqual([false, true]);
  });

  it('cover its lines, each once', () => {
    for (const sample of [0, 1, 3]) {
      for (let lines = Math.max(2, 4 * sample); lines < 80; lines++) {
        const pieces = piecesOf('batch-s0-1.0.1.0', lines, sample);
        expect(pieces.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))).toEqual(
          Array.from({ length: lines }, (_, line) => line),
        );
      }
    }
  });
});

describe('a refusal', () => {
  it('of the call, for a parameter of it, is no line’s', () => {
    expect(['model', 'completion_window', 'body', null].map((param) => isOfCall({ ...REFUSED, param }))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(refusedAnyway('p', REFUSED, 'call')).toMatchObject({
      code: 'batch_refused',
      message: 'p refused the provider batch: Something is not valid.',
    });
  });
});
