import { describe, expect, it } from 'vitest';
import { readSources } from './source-tree.ts';

/** Imports go down only. Folders of one rank do not import each other, except where `with` says so. */
const LAYERS: { prefix: string; rank: number; with?: string[] }[] = [
  { prefix: 'src/protocol/', rank: 0 },
  { prefix: 'src/core/', rank: 1 },
  { prefix: 'providers/contract.ts', rank: 2, with: ['src/ports/'] },
  { prefix: 'src/ports/', rank: 2, with: ['providers/contract.ts'] },
  { prefix: 'providers/contract-kind.ts', rank: 3 },
  { prefix: 'src/store/', rank: 4 },
  { prefix: 'src/files/', rank: 4 },
  { prefix: 'src/queue/', rank: 4 },
  { prefix: 'providers/registry.ts', rank: 6 },
  { prefix: 'providers/shared/', rank: 4 },
  { prefix: 'providers/', rank: 5 },
  { prefix: 'src/services/', rank: 5 },
  { prefix: 'src/http/', rank: 7 },
  { prefix: 'src/dashboard/', rank: 7 },
  { prefix: 'config/prices/', rank: 0 },
  { prefix: 'src/runtime/', rank: 8 },
];

/** What a folder may import from below beyond ports, contract, core and protocol: nothing but its own kind. */
const IMPLEMENTATIONS = ['src/store/', 'src/files/', 'src/queue/'];

const sources = readSources('src', 'providers', 'config/prices');

function layerOf(path: string) {
  return LAYERS.find(({ prefix }) => path.startsWith(prefix));
}

/** The folder that counts as one thing: a provider's own folder, or the layer. */
function unitOf(path: string): string {
  const provider = /^providers\/[^/]+\//.exec(path)?.[0];
  return provider ?? layerOf(path)?.prefix ?? path;
}

describe('layers', () => {
  it('every source file belongs to a layer', () => {
    expect(sources.filter(({ path }) => !layerOf(path)).map(({ path }) => path)).toEqual([]);
  });

  it('imports go down only, and units of one layer do not import each other', () => {
    const wrong: string[] = [];
    for (const source of sources) {
      const from = layerOf(source.path);
      for (const { target, local } of source.imports) {
        const to = layerOf(target);
        if (!local || !from || !to || unitOf(source.path) === unitOf(target)) continue;
        if (from.rank > to.rank || from.with?.includes(to.prefix)) continue;
        wrong.push(`${source.path} → ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('nothing but the wiring knows which store, file store or provider is underneath', () => {
    const wrong: string[] = [];
    for (const source of sources) {
      if (source.path.startsWith('src/runtime/') || source.path === 'providers/registry.ts') continue;
      for (const { target, local } of source.imports) {
        if (!local || unitOf(source.path) === unitOf(target)) continue;
        const hidden = [...IMPLEMENTATIONS, 'providers/'].some((prefix) => target.startsWith(prefix));
        const shared = target.startsWith('providers/contract') || target.startsWith('providers/shared/');
        if (hidden && !shared) wrong.push(`${source.path} → ${target}`);
        if (target.startsWith('providers/shared/') && !source.path.startsWith('providers/')) {
          wrong.push(`${source.path} → ${target}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('has no import cycle, types included', () => {
    expect(
      findCycle(new Map(sources.map((s) => [s.path, s.imports.filter((i) => i.local).map((i) => i.target)]))),
    ).toEqual(null);
  });
});

/** One cycle as a path, or null. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | null => {
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node];
    if (done.has(node)) return null;
    path.push(node);
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node);
    if (cycle) return cycle;
  }
  return null;
}

describe('the cycle search', () => {
  it('finds a cycle and passes a diamond', () => {
    expect(
      findCycle(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['a']],
        ]),
      ),
    ).toEqual(['a', 'b', 'c', 'a']);
    expect(
      findCycle(
        new Map([
          ['a', ['b', 'c']],
          ['b', ['d']],
          ['c', ['d']],
          ['d', []],
        ]),
      ),
    ).toBeNull();
  });
});
