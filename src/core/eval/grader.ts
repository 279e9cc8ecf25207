import type { Endpoint } from '../../protocol/endpoint.ts';
import type { EvalItemResult } from '../../protocol/eval-output-item.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { Fields } from '../fields.ts';

/** What is graded: an item of the data source, and the answer to it. */
export interface Subject {
  item: Fields;
  /** `output_text`, `output_json`, `output_tools`, `model`, `finish_reason`; or whatever an answer was given as. */
  sample: Fields;
}

/** Where and when a judge is asked: by the route that `config` is (by its model's when absent), in the target's window when absent. */
export interface JudgePlace {
  endpoint: Extract<Endpoint, '/v1/chat/completions' | '/v1/embeddings'>;
  config?: string | Fields;
  window?: string;
}

/** A request to a model that a grade depends on. */
export interface JudgeCall {
  at: JudgePlace;
  body: Fields & { model: string };
}

/** A model that a grader asks. */
export interface Ask {
  at: JudgePlace;
  model: string;
}

/** Judges of one key are asked in one batch. */
export function placeKey({ endpoint, config, window }: JudgePlace): string {
  return canonicalJson([endpoint, config ?? null, window ?? null]);
}

/** The places with a route or a window of their own, in the order in which graders name them. */
export function ownPlaces(graders: readonly Grader[]): JudgePlace[] {
  const places = new Map<string, JudgePlace>();
  for (const { at } of graders.flatMap(({ asks }) => asks)) {
    if (at.config !== undefined || at.window !== undefined) places.set(placeKey(at), at);
  }
  return [...places.values()];
}

/** What came of it: the answer's body, or why there is none. */
export type JudgeAnswer = { body: Fields } | { error: { code: string; message: string } };

/** `score` is null where it could not be told, and then `error` says why and `passed` is false. */
export type Grade = EvalItemResult;

/**
 * One testing criterion, ready to grade. `calls` throws GradeError for a subject that cannot be graded, such as one
 * without a value that a template names; `grade` never throws.
 */
export interface Grader {
  name: string;
  type: string;
  /** Templates it reads, for a check of the items before anything is paid for. */
  templates: readonly string[];
  /** Models it asks, and where; empty for graders that only compute. */
  asks: readonly Ask[];
  /** The requests that the grade of this subject needs; empty for graders that only compute. */
  calls(subject: Subject): JudgeCall[];
  /** `answers`: one for each of `calls`, in its order. */
  grade(subject: Subject, answers: readonly JudgeAnswer[]): Grade;
}

/** Why a subject could not be graded, in a sentence for the author of the eval. */
export class GradeError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'GradeError';
    this.code = code;
  }
}
