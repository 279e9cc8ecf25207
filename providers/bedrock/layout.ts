import type { ProviderRefs } from '../contract.ts';

/** Every job is named so, and every object lies under its token. */
const jobNamePrefix = 'weir-';

const tokenPattern = /^[a-z0-9-]{1,48}$/;

/** A job's name carries the token: 1 to 63 letters, digits and dashes (service model of bedrock, ModelInvocationJobName). */
export function jobNameOf(token: string): string {
  return jobNamePrefix + token;
}

/** The token in a job's name; null for a job that is none of ours. */
export function tokenOfJob(jobName: string | undefined): string | null {
  const token = jobName?.startsWith(jobNamePrefix) === true ? jobName.slice(jobNamePrefix.length) : '';
  return tokenPattern.test(token) ? token : null;
}

/** Where the objects of one token lie: `<prefix><token>/input.jsonl` and `<prefix><token>/out/<job id>/…`. */
export interface Layout {
  folder: string;
  input: string;
  output: string;
}

export function layoutOf(prefix: string, token: string): Layout {
  const folder = `${prefix}${token}/`;
  return { folder, input: `${folder}input.jsonl`, output: `${folder}out/` };
}

/** The token of an object's key; null for one that is not of our layout. */
export function tokenOfKey(prefix: string, key: string): string | null {
  if (!key.startsWith(prefix)) return null;
  const [token = '', ...rest] = key.slice(prefix.length).split('/');
  const isOurs = rest.length > 0 && (rest[0] === 'input.jsonl' || rest[0] === 'out');
  return isOurs && tokenPattern.test(token) ? token : null;
}

/** The token that refs name; null when there is none, or none that could be ours. */
export function tokenOfRefs(refs: ProviderRefs): string | null {
  const { token } = refs;
  return token !== undefined && tokenPattern.test(token) ? token : null;
}

/** Where jobs read and write: a bucket, and what the keys of all of them begin with. */
export interface Place {
  bucket: string;
  prefix: string;
}

/** The place in which refs of ours were made, which the config may not name any more; null when they name none. */
export function placeOfRefs(refs: ProviderRefs): Place | null {
  const token = tokenOfRefs(refs);
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(refs.input_uri ?? '') ?? [];
  if (token === null || bucket === undefined || key === undefined) return null;
  const end = layoutOf('', token).input;
  return key.endsWith(end) ? { bucket, prefix: key.slice(0, -end.length) } : null;
}

export function uriOf(bucket: string, key: string): string {
  return `s3://${bucket}/${key}`;
}

/** Bedrock names the folder of a job's output by the last segment of its ARN. */
export function jobIdOf(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
