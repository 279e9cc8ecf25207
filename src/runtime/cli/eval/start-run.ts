import { canonicalJson } from '../../../core/canonical-json.ts';
import type { SampleSize } from '../../../core/eval/draw-sample.ts';
import type { EvalObject } from '../../../protocol/eval.ts';
import type { GraderSpec } from '../../../protocol/eval-grader.ts';
import type { EvalRunObject, EvalTarget } from '../../../protocol/eval-run.ts';
import type { Page } from '../../../protocol/page.ts';
import type { Api } from '../api.ts';
import { wrongUse } from '../exit.ts';
import { plural } from '../figures.ts';
import { printable } from '../printable.ts';
import { uploadFile } from '../send.ts';
import { note, type Terminal } from '../terminal.ts';
import { type JudgePlace, readGraders } from './graders.ts';
import { type PreparedItems, prepareItems } from './prepare-items.ts';
import { readTargets } from './targets.ts';
import { watchRun } from './watch-run.ts';

/** What a run of a file needs to be told. */
export interface RunRequest {
  file: string;
  name: string;
  answers: string | undefined;
  prompt: string | undefined;
  system: string | undefined;
  targets: string | undefined;
  /** A route whose targets are asked instead. */
  route: string | undefined;
  graders: readonly string[];
  /** Where and when judges are asked that do not say so themselves. */
  judge: JudgePlace;
  params: Readonly<Record<string, unknown>>;
  window: string;
  sample: SampleSize | undefined;
  seed: number;
}

export interface EndedRun {
  eval: EvalObject;
  run: EvalRunObject;
}

/** Makes the eval (or takes the one of this name), uploads the items, runs and watches to the end. Throws CliError. */
export async function runEval(terminal: Terminal, api: Api, request: RunRequest): Promise<EndedRun> {
  const prepared = await prepareItems(request.file, request);
  try {
    const { shape } = prepared;
    const graders = await readGraders(request.graders, shape.places(), request.judge);
    const targets = await targetsOf(request, prepared);
    const body = { ...runBody(request, prepared, targets), name: runName(request, prepared) };
    const found = await findOrCreate(api, request.name, graders, shape.source === 'jsonl');
    const fileId = await uploadFile(terminal, api, prepared.path, prepared.bytes, 'evals');
    const run = await createRun(api, found, {
      ...body,
      data_source: { ...body.data_source, source: fileSource(fileId) },
    });
    await note(terminal, `${printable(run.id)} of ${printable(found.id)}: ${plural(prepared.taken, 'item')}`);
    const ended = await watchRun(terminal, api, run);
    // The run has its items by then; one that is left to itself still reads them.
    await deleteFile(api, fileId);
    return { eval: found, run: ended };
  } finally {
    await prepared.remove();
  }
}

function fileSource(id: string): { type: 'file_id'; id: string } {
  return { type: 'file_id', id };
}

/** Starts the run; of one that is refused nothing is left behind. */
async function createRun(
  api: Api,
  found: EvalObject,
  body: { data_source: { source: { id: string } } },
): Promise<EvalRunObject> {
  try {
    return await api.post<EvalRunObject>(`/v1/evals/${encodeURIComponent(found.id)}/runs`, body, crypto.randomUUID());
  } catch (error) {
    await deleteFile(api, body.data_source.source.id);
    throw error;
  }
}

async function deleteFile(api: Api, id: string): Promise<void> {
  const client = await api.openai();
  await client.files.delete(id).catch(() => undefined);
}

/** One by one, or the name of the route whose they are; null where the rows bring their answers. */
type AskedTargets = readonly EvalTarget[] | string | null;

/** The targets that were named; else the one model that the lines of a batch file name. */
async function targetsOf({ targets, route, file }: RunRequest, { shape }: PreparedItems): Promise<AskedTargets> {
  if (targets !== undefined && route !== undefined) {
    throw wrongUse('--targets and --route both say who is asked; leave one out.', 'route');
  }
  if (shape.source === 'jsonl') {
    if (targets === undefined && route === undefined) return null;
    const option = targets === undefined ? 'route' : 'targets';
    throw wrongUse(`The rows of ${file} bring their answers; leave --${option} out.`, option);
  }
  if (route !== undefined) return route;
  if (targets !== undefined) return readTargets(targets);
  const [model] = shape.models;
  if (model !== undefined && shape.models.size === 1) return [{ model }];
  throw wrongUse('--targets is missing: models or routes to compare, separated by commas.', 'targets');
}

function runBody(request: RunRequest, { shape }: PreparedItems, targets: AskedTargets) {
  if (targets === null) return { data_source: { type: 'jsonl' as const } };
  const params = { ...shape.params, ...request.params };
  return {
    completion_window: request.window,
    targets,
    data_source: {
      type: shape.source,
      input_messages: shape.inputMessages(request.prompt, request.system),
      ...(Object.keys(params).length === 0 ? {} : { sampling_params: params }),
    },
  };
}

function runName({ sample, seed, file }: RunRequest, { taken, items }: PreparedItems): string {
  const name = file.split(/[/\\]/).at(-1) ?? file;
  return sample === undefined ? name : `${name}, ${taken} of ${items} by seed ${seed}`;
}

/** Runs of one name and the same graders belong to one eval, so that they can be compared over time. */
async function findOrCreate(
  api: Api,
  name: string,
  criteria: readonly GraderSpec[],
  withSample: boolean,
): Promise<EvalObject> {
  const query = new URLSearchParams({ limit: '100', order: 'desc' });
  const { data } = await api.get<Page<EvalObject>>(`/v1/evals?${query}`);
  const wanted = canonicalJson(criteria);
  const known = data.find((each) => each.name === name && canonicalJson(each.testing_criteria) === wanted);
  if (known !== undefined) return known;
  const config = { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: withSample };
  return api.post<EvalObject>(
    '/v1/evals',
    { name, data_source_config: config, testing_criteria: criteria },
    crypto.randomUUID(),
  );
}
