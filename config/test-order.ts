import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest files, the longest first, so that none is left to run alone at the end. */
const LONGEST = [
  'e2e/crash',
  'e2e/budgets',
  'browser/pages',
  'e2e/native-faults',
  'chaos/chaos',
  'e2e/pools',
  'services/shards/crash-points',
  'e2e/five-providers',
  'contract/libsql',
  'e2e/native-batches',
  'runtime/cli-process',
  'runtime/worker',
  'e2e/engine-threads',
  'e2e/damaged-results',
  'browser/money',
  'e2e/autobatch',
  'services/evals/crash-points',
];

/** Project by project, as files share processes with their like alone; in each, the longest files first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const projects = this.ctx.projects.map(({ name }) => name);
    return sorted.toSorted(
      (a, b) => projects.indexOf(a.project.name) - projects.indexOf(b.project.name) || rank(a) - rank(b),
    );
  }
}

function rank({ moduleId }: TestSpecification): number {
  const index = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return index === -1 ? LONGEST.length : index;
}
