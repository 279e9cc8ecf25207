import { htmlReport, type ReportSource } from '../../../core/eval/html-report.ts';
import { junitReport, type Threshold } from '../../../core/eval/junit-report.ts';
import type { EvalObject } from '../../../protocol/eval.ts';
import type { EvalComparedItem } from '../../../protocol/eval-compared-item.ts';
import type { EvalComparison } from '../../../protocol/eval-comparison.ts';
import type { EvalRunObject } from '../../../protocol/eval-run.ts';
import type { Page } from '../../../protocol/page.ts';
import type { Api } from '../api.ts';
import { formatTime } from '../figures.ts';
import { checkWritable, saveChunks } from '../save-output.ts';
import { pathOfRun } from './watch-run.ts';

export interface ReportPaths {
  html?: string | undefined;
  junit?: string | undefined;
}

const PAGE_ITEMS = 100;
/** Items that an HTML report shows side by side: a page that a browser still opens at once. */
const HTML_ITEMS = 200;

/** Refuses paths that cannot be written, before anything is paid for. Throws CliError. */
export async function checkReportPaths({ html, junit }: ReportPaths): Promise<void> {
  if (html !== undefined) await checkWritable(html, 'html');
  if (junit !== undefined) await checkWritable(junit, 'junit');
}

/** Writes the reports that were asked for. */
export async function writeReports(
  api: Api,
  paths: ReportPaths,
  of: { eval: EvalObject; run: EvalRunObject; comparison: EvalComparison; thresholds: readonly Threshold[] },
): Promise<void> {
  const { run, comparison, thresholds } = of;
  const path = pathOfRun(run);
  if (paths.junit !== undefined) {
    const itemsOf = (): AsyncGenerator<EvalComparedItem> => comparedItems(api, path, false);
    await saveChunks(encoded(junitReport(of.eval.name, comparison.targets, thresholds, itemsOf)), paths.junit);
  }
  if (paths.html !== undefined) {
    const items: EvalComparedItem[] = [];
    if (comparison.targets.length > 1) {
      for await (const item of comparedItems(api, path, true)) {
        items.push(item);
        if (items.length >= HTML_ITEMS) break;
      }
    }
    const source: ReportSource = { title: of.eval.name, subtitle: subtitleOf(of.eval, run), comparison, items };
    await saveChunks(encoded([htmlReport(source)]), paths.html);
  }
}

function subtitleOf({ testing_criteria }: EvalObject, run: EvalRunObject): string {
  const graders = testing_criteria.map(({ name }) => name).join(', ');
  return `${run.name} · ${formatTime(run.created_at)} · graded by ${graders} · ${run.id}`;
}

async function* comparedItems(api: Api, path: string, differing: boolean): AsyncGenerator<EvalComparedItem> {
  const query = new URLSearchParams({ limit: String(PAGE_ITEMS), differing: String(differing) });
  for (;;) {
    const page = await api.get<Page<EvalComparedItem>>(`${path}/comparison/items?${query}`);
    yield* page.data;
    if (!page.has_more || page.last_id === null) return;
    query.set('after', page.last_id);
  }
}

async function* encoded(texts: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}
