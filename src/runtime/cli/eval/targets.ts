import type { EvalTarget } from '../../../protocol/eval-run.ts';
import { readPairs } from '../arguments.ts';
import { wrongUse } from '../exit.ts';
import { readDocument } from './document.ts';

/**
 * The targets that `--targets` names: models, `provider/model` or routes, separated by commas, each with a name of its own
 * where it is written `name=model`; or a YAML or JSON file of targets as the API takes them. Throws CliError.
 */
export async function readTargets(text: string): Promise<EvalTarget[]> {
  const targets = /\.(ya?ml|json)$/.test(text) ? await readTargetFile(text) : text.split(',').map(readTarget);
  const names = targets.map(nameOf);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw wrongUse(`--targets has ${twice} twice; give one another name, as in other=${twice}.`, 'targets');
  }
  return targets;
}

/** How results call a target. */
function nameOf({ name, model, config }: EvalTarget): string {
  return name ?? model ?? (typeof config === 'string' ? config : '');
}

function readTarget(text: string): EvalTarget {
  const [left = '', right] = text.split('=', 2).map((part) => part.trim());
  const model = right ?? left;
  if (left === '' || model === '') throw wrongUse(`--targets has an empty name: ${text}.`, 'targets');
  return right === undefined ? { model } : { name: left, model };
}

async function readTargetFile(path: string): Promise<EvalTarget[]> {
  const value = await readDocument(path, 'targets');
  const list = value !== null && typeof value === 'object' && 'targets' in value ? value.targets : value;
  if (!Array.isArray(list) || list.length === 0) throw wrongUse(`${path} holds no list of targets.`, 'targets');
  return list.map((each, index) => {
    if (typeof each === 'string') return readTarget(each);
    if (each !== null && typeof each === 'object' && !Array.isArray(each)) return each as EvalTarget;
    throw wrongUse(`Target ${index + 1} of ${path} is neither a name nor an object.`, 'targets');
  });
}

/** Parameters of the requests, from `name=value` pairs whose values are JSON, or else text. Throws CliError. */
export function readParams(texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(readPairs(texts, 'param')).map(([name, text]) => [name, readValue(text)]));
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
