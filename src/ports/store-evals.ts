import type { EvalDataSourceConfig } from '../protocol/eval.ts';
import type { GraderSpec } from '../protocol/eval-grader.ts';
import type { EvalItemResult, EvalItemStatus, EvalSample } from '../protocol/eval-output-item.ts';
import type {
  EvalCriterionResult,
  EvalDataSource,
  EvalModelUsage,
  EvalRow,
  EvalRunStatus,
  EvalTarget,
} from '../protocol/eval-run.ts';
import type { Metadata } from '../protocol/metadata.ts';
import type { ListQuery, Scope } from './store-query.ts';

export interface EvalStoredRow {
  id: string;
  tenantId: string;
  keyId: string | null;
  name: string;
  dataSourceConfig: EvalDataSourceConfig;
  testingCriteria: GraderSpec[];
  metadata: Metadata | null;
  createdAt: number;
  updatedAt: number;
}

export interface EvalFailure {
  code: string;
  message: string;
}

export interface EvalRunRow {
  id: string;
  evalId: string;
  tenantId: string;
  keyId: string | null;
  name: string;
  metadata: Metadata | null;
  /** Without the content of `file_content`. */
  dataSource: EvalDataSource;
  /** That content; null when there is none, and in lists. */
  content: EvalRow[] | null;
  /** The run's own route and window; targets have theirs resolved. */
  completionWindow: string;
  status: EvalRunStatus;
  error: EvalFailure | null;
  /** Items taken in, and where in a file the next one begins. */
  itemsRead: number;
  byteOffset: number;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  deletedAt: number | null;
}

/**
 * Where a target of a run stands:
 *
 *   ask ──▶ sampling ──▶ collect ──▶ judge ──▶ judging ──▶ absorb ──▶ grade ──▶ done
 *             (batch)                            (batches)
 *
 * A target without a model begins at `collect`: its items bring their answers. In `sampling` and `judging` its batches
 * are waited for; `collect`, `absorb` and `grade` go page by page, and `cursor` says where the next one begins.
 */
export const EVAL_STAGES = [
  'ask',
  'sampling',
  'collect',
  'judge',
  'judging',
  'absorb',
  'absorb_embeddings',
  'absorb_others',
  'grade',
  'done',
] as const;
export type EvalStage = (typeof EVAL_STAGES)[number];

/** A target as its run resolved it. */
export type EvalTargetSpec = Omit<EvalTarget, 'name' | 'completion_window'> & { completion_window: string };

export interface EvalTargetRow {
  runId: string;
  /** Its place among the run's targets, from 0. */
  target: number;
  name: string;
  spec: EvalTargetSpec;
  stage: EvalStage;
  /** Why it ended without grades. */
  error: EvalFailure | null;
  cursor: number;
  /** The batch that answers, and those of the judges: of chat completions and of embeddings. */
  batchId: string | null;
  judgeBatchId: string | null;
  embeddingBatchId: string | null;
  /** Those of judges with a route or a window of their own. */
  otherJudgeBatchIds: string[];
  passed: number;
  failed: number;
  errored: number;
  criteria: EvalCriterionResult[];
  usage: EvalModelUsage[];
}

export interface EvalItemRow {
  /** Its place in the data source, from 0. */
  item: number;
  row: EvalRow;
}

/** What one target made of one item. */
export interface EvalOutputRow {
  target: number;
  item: number;
  status: EvalItemStatus;
  /** Mean of the criteria's scores; null where one of them has none. */
  score: number | null;
  sample: EvalSample;
  /** What the graders see of the answer (core/eval/grader.ts). */
  subject: Record<string, unknown>;
  /** Requests to judges that its grade needs. */
  calls: number;
  /** The judges' answers, by the number of the call. */
  answers: Record<string, unknown> | null;
  results: EvalItemResult[];
  provider: string | null;
  model: string | null;
  latencyMs: number | null;
  /** Null when it has no price. */
  costNano: number | null;
  inputTokens: number;
  outputTokens: number;
  truncated: boolean;
  refused: boolean;
  createdAt: number;
}

/** A run that is worked on here. */
export interface EvalLease {
  run: EvalRunRow;
  targets: EvalTargetRow[];
}

export interface EvalOutputQuery {
  /** One target's, or all targets', each in order of items. */
  target?: number | undefined;
  status?: EvalItemStatus | undefined;
  /** The place of the last one seen. */
  after?: { target: number; item: number } | undefined;
  order?: 'asc' | 'desc' | undefined;
  limit: number;
}

/** Outputs of one target in order, from behind a place. */
export interface EvalFigureQuery {
  target: number;
  /** The place of the last item seen; -1 before the first. */
  after: number;
  limit: number;
  /** Whether to read the subjects, which are long. */
  withSubject: boolean;
}

/** What a comparison needs of an output. */
export type EvalFigureRow = Pick<
  EvalOutputRow,
  'item' | 'status' | 'score' | 'latencyMs' | 'costNano' | 'inputTokens' | 'outputTokens' | 'truncated' | 'refused'
> & {
  /** False where no answer came. */
  answered: boolean;
  subject: Record<string, unknown> | null;
};

/** One step of a target, written whole or not at all. */
export interface EvalStep {
  runId: string;
  token: string;
  target: number;
  /** Where it stood: a step that was taken already is not taken again. */
  from: Pick<EvalTargetRow, 'stage' | 'cursor'>;
  to: Partial<Omit<EvalTargetRow, 'runId' | 'target' | 'name' | 'spec'>>;
  outputs?: readonly EvalOutputRow[];
  /** Answers of judges, added to those that an output has. */
  answers?: readonly { item: number; answers: Record<string, unknown> }[];
  grades?: readonly Pick<EvalOutputRow, 'item' | 'status' | 'score' | 'results'>[];
}

export interface StoreEvals {
  /** Adds a row; a row with this id already there is left as it is. Answers the stored row. */
  insert(row: EvalStoredRow): Promise<EvalStoredRow>;
  get(scope: Scope, id: string): Promise<EvalStoredRow | null>;
  /** Null when `after` names no eval of the tenant. */
  list(
    tenantId: string,
    query: ListQuery & { orderBy?: 'created_at' | 'updated_at' | undefined },
  ): Promise<EvalStoredRow[] | null>;
  /** The row after it; null when there is none. */
  update(
    scope: Scope,
    id: string,
    change: { name?: string | undefined; metadata?: Metadata | null | undefined; now: number },
  ): Promise<EvalStoredRow | null>;
  /** Deletes an eval with its runs: they are stopped, and their contents go later. False when there is none. */
  delete(scope: Scope, id: string, now: number): Promise<boolean>;

  /** Adds a run with its targets; one with this id already there is left as it is. Answers what is stored. */
  insertRun(run: EvalRunRow, targets: readonly EvalTargetRow[]): Promise<EvalLease>;
  getRun(scope: Scope, evalId: string, id: string): Promise<EvalLease | null>;
  /** Null when `after` names no run of the eval. */
  listRuns(evalId: string, query: ListQuery & { status?: EvalRunStatus | undefined }): Promise<EvalLease[] | null>;
  /** queued | in_progress → canceled. Answers the run after it, null when there is none; one that ended is unchanged. */
  cancelRun(scope: Scope, evalId: string, id: string, now: number): Promise<EvalLease | null>;
  /** As with an eval. */
  deleteRun(scope: Scope, evalId: string, id: string, now: number): Promise<boolean>;
  /** Items of a run in order, from a place. */
  items(runId: string, from: number, limit: number): Promise<EvalItemRow[]>;
  /** Outputs with their items, in order of targets and items. */
  outputs(runId: string, query: EvalOutputQuery): Promise<(EvalOutputRow & { row: EvalRow })[]>;
  figures(runId: string, query: EvalFigureQuery): Promise<EvalFigureRow[]>;
  /** Places of items that some targets passed and others did not, in order, from behind a place. */
  differing(runId: string, query: { after: number; limit: number }): Promise<number[]>;
}

/** The background work on runs. */
export interface StoreEvalWork {
  /**
   * Leases up to `limit` runs that can go on, longest waiting first: those whose batches still run are left out, as are
   * those leased by someone else until later. Runs that were cancelled or deleted come until `close`.
   */
  claimDue(query: { now: number; until: number; token: string; limit: number }): Promise<EvalLease[]>;
  renew(ids: readonly string[], token: string, until: number): Promise<void>;
  /** Ends the leases of everyone but that token: nobody else works on this database. */
  recover(query: { others: string }): Promise<void>;
  /** Gives the lease back and sets when to look again. */
  release(id: string, token: string, nextAt: number): Promise<void>;
  /** Takes in the next items of a run that is queued. False when the lease was lost or they were taken in already. */
  addItems(
    lease: { runId: string; token: string; itemsRead: number },
    items: readonly EvalItemRow[],
    byteOffset: number,
  ): Promise<boolean>;
  /** queued → in_progress. */
  begin(id: string, token: string, now: number): Promise<boolean>;
  /** False when the lease was lost, the run has ended, or the target is not where the step begins. */
  step(step: EvalStep): Promise<boolean>;
  /** queued | in_progress → completed | failed: nothing is left to do. */
  end(
    id: string,
    token: string,
    change: { status: 'completed' | 'failed'; error: EvalFailure | null; now: number },
  ): Promise<boolean>;
  /** Removes up to `limit` outputs and as many items of a deleted run; false when none are left. */
  purge(id: string, limit: number): Promise<boolean>;
  /** Nothing is left to do for a run that was cancelled or deleted; a deleted one keeps nothing but its id. */
  close(id: string, token: string): Promise<void>;
  /** Milliseconds of the calls that decided the 1-based lines of a batch between two lines, by line. */
  latencies(batchId: string, firstLine: number, lastLine: number): Promise<Map<number, number>>;
}
