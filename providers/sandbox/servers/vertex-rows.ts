import { isRecord } from './answer.ts';
import type { Answered } from './answered.ts';
import { mixNumbers } from './random.ts';
import { type Body, generateContent, predictionOf, rawPredict } from './vertex-answers.ts';
import type { VertexSimulation } from './vertex-settings.ts';

export interface OutputFile {
  name: string;
  text: string;
}

export interface Output {
  files: OutputFile[];
  succeeded: number;
  failed: number;
  incomplete: number;
}

interface Row extends Body {
  status: string;
}

/** What a job writes: rows in another order than they came, the echo re-serialised, in as many files as asked for. */
export function writeOutput(
  model: string,
  job: Body,
  input: string,
  share: number,
  settings: VertexSimulation,
  answered: Answered,
): Output {
  const lines = input.split('\n').filter((line) => line.trim() !== '');
  const done = lines.slice(0, Math.floor(lines.length * share));
  const rows = done.map((line) => rowOf(model, job, line, settings));
  for (const { status, request, instance } of rows) if (status === '') answered.add({ request, instance });
  const failed = rows.filter(({ status }) => status !== '').length;
  const files = isEmbedding(model)
    ? shards(rows, settings, (index) => `${String(index).padStart(12, '0')}.jsonl`)
    : shards(rows, settings, (index) =>
        settings.output_shards === 1 ? 'predictions.jsonl' : `predictions_${String(index + 1).padStart(4, '0')}.jsonl`,
      );
  return { files, succeeded: rows.length - failed, failed, incomplete: lines.length - done.length };
}

function isEmbedding(model: string): boolean {
  return model.includes('embedding');
}

function rowOf(model: string, job: Body, line: string, settings: VertexSimulation): Row {
  const value: unknown = parse(line);
  const row: Body = isRecord(value) ? value : {};
  const forced = settings.fail_rows.find(({ contains }) => line.includes(contains));
  const common = { processed_time: '2026-11-01T10:00:00.1+00:00' };
  if (isEmbedding(model)) {
    if (forced !== undefined) return { instance: row, predictions: [], status: forced.status };
    return { instance: row, predictions: [predictionOf(row)], status: '' };
  }
  const isClaude = model.startsWith('claude-');
  const answer = isClaude ? rawPredict(model, row.request, settings) : generateContent(model, row.request, settings);
  const isGood = forced === undefined && answer.status === 200;
  const status = isGood ? '' : (forced?.status ?? `Bad Request: ${JSON.stringify(answer.body)}`);
  const echo = isClaude ? row.request : reserialised(row.request);
  const own = isClaude ? { custom_id: row.custom_id } : passedThrough(row, job);
  return { status, ...common, request: echo, ...own, response: isGood ? answer.body : {} };
}

/** Fields that the job excludes from the model come back as they were; others but `request` are lost. */
function passedThrough(row: Body, job: Body): Body {
  const config = isRecord(job.instanceConfig) ? job.instanceConfig : {};
  const excluded: unknown[] = Array.isArray(config.excludedFields) ? config.excludedFields : [];
  return Object.fromEntries(Object.entries(row).filter(([name]) => excluded.includes(name)));
}

/** The service writes every part's unset members as null and sorts what it knows. */
function reserialised(request: unknown): unknown {
  if (!isRecord(request)) return request;
  const contents = Array.isArray(request.contents) ? request.contents : [];
  const withNulls = contents.map((content: unknown) =>
    isRecord(content) && Array.isArray(content.parts)
      ? {
          ...content,
          parts: content.parts.map((part: unknown) => (isRecord(part) ? { file_data: null, ...part } : part)),
        }
      : content,
  );
  return { ...Object.fromEntries(Object.entries(request).reverse()), contents: withNulls };
}

function shards(rows: Row[], settings: VertexSimulation, nameOf: (index: number) => string): OutputFile[] {
  const { rows: faults, output_shards: count } = settings;
  const shuffled = shuffle(faults.swapped_echoes ? swapEchoes(rows) : rows, settings.seed);
  const kept = shuffled
    .slice(0, shuffled.length - faults.missing_last)
    .map((row) => JSON.stringify(strip(row, faults)));
  const odd = faults.odd ? oddLines(kept[0] ?? '{}') : [];
  const lines = [...odd, ...(faults.duplicated ? kept.flatMap((line) => [line, line]) : kept), ...faults.garbage];
  const size = Math.ceil(lines.length / count);
  const files = Array.from({ length: count }, (_, index) => {
    const part = lines.slice(index * size, (index + 1) * size);
    return { name: nameOf(index), text: part.map((line) => `${line}\n`).join('') };
  });
  const last = files.at(-1);
  if (faults.truncated_last && last !== undefined) last.text = last.text.slice(0, -20);
  return [...files, { name: '_SUCCESS', text: '' }];
}

function strip(row: Row, faults: VertexSimulation['rows']): Body {
  const { key, request, instance, ...others } = row;
  const echo = isRecord(request) && faults.without_labels ? { ...request, labels: undefined } : request;
  const piece = isRecord(instance) && faults.without_keys ? { ...instance, key: undefined } : instance;
  const kept: Body = {
    ...others,
    ...(request !== undefined && { request: echo }),
    ...(instance !== undefined && { instance: piece }),
  };
  return faults.without_keys || key === undefined ? kept : { ...kept, key };
}

/** Lines that no reader expects, made from one that is due. */
function oddLines(line: string): string[] {
  const row = JSON.parse(line) as Body;
  const id = row.custom_id === undefined ? 'key' : 'custom_id';
  const others = { ...row, request: {} };
  return [
    line,
    JSON.stringify({ ...others, [id]: 'nobody-9' }),
    JSON.stringify({ ...others, [id]: undefined }),
    '{"status',
    '',
  ];
}

/** Every second row echoes the request of its neighbour. */
function swapEchoes(rows: Row[]): Row[] {
  return rows.map((row, index) => {
    const other = rows[index ^ 1] ?? row;
    return { ...row, request: other.request };
  });
}

function shuffle(rows: Row[], seed: number): Row[] {
  return rows
    .map((row, index) => ({ row, order: mixNumbers(index, seed + 17) }))
    .sort((left, right) => left.order - right.order)
    .map(({ row }) => row);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
