import { openFor, type Schedule } from '../../core/batch-hours.ts';
import { cheapestPlan, type Plan, type PlanOption } from '../../core/cheapest-plan.ts';
import { sumFigures } from '../../core/estimate-share.ts';
import { type Candidate, type RunLane, targetName } from '../../core/lane.ts';
import { formatUsd } from '../../core/money.ts';
import { isRequest, readPlanRecord } from '../../core/plan.ts';
import { modeOf } from '../../core/shard-plan.ts';
import type { Deps } from '../../ports/deps.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { Estimate, EstimatePlans } from '../../protocol/estimate.ts';
import { windowOf } from '../shards/follow-up.ts';
import type { DryDivision } from './dry-division.ts';
import { type KnownTarget, LineEstimator } from './estimate-lines.ts';
import { hoursOf, limitsOf, loadKey, openAfter, secondsBy } from './pace.ts';
import { planWindows } from './read-plan.ts';

/** Lines that are looked at for each target and mode. */
const SAMPLE_LINES = 500;
const SAMPLE_BYTES = 32 * 1024 ** 2;
/** Sets of targets that are told apart; a file that has more is not compared. */
const GROUPS_MAX = 20;

/** Lines that may go to the same targets: those of their lane, in whatever order. */
interface Group {
  lane: RunLane;
  number: number;
  candidates: Candidate[];
  requests: number;
  samples: { line: number; bytes: Uint8Array }[];
}

/** A way to do a group's lines, with the hours in which it can. */
interface OpenOption extends PlanOption {
  schedules: readonly Schedule[];
}

interface Comparison {
  now: number;
  completionWindow: string;
  /** The completion window. */
  seconds: number;
  known: ReadonlyMap<string, KnownTarget>;
  signal: AbortSignal;
}

/**
 * The cheapest way to do a file's lines within the window among the targets that their routes name, from a sample of them,
 * beside what each target and mode alone would come to. Null when there is nothing to compare.
 */
export async function comparePlans(
  deps: Deps,
  file: FileRow,
  division: DryDivision,
  estimate: Pick<Estimate, 'split' | 'total'>,
  comparison: Comparison,
): Promise<EstimatePlans | null> {
  const groups = await groupLines(deps, file, division, comparison.signal);
  if (groups === null || groups.length === 0) return null;
  const budget = new Map<string, number>();
  const plans: Plan<OpenOption>[] = [];
  for (const group of groups) {
    plans.push(cheapestPlan(await optionsOf(deps, group, comparison), comparison.seconds, budget));
  }
  return present(plans, estimate, comparison);
}

/** Null when there are too many groups. */
async function groupLines(
  deps: Deps,
  file: FileRow,
  division: DryDivision,
  signal: AbortSignal,
): Promise<Group[] | null> {
  const { plan } = file;
  if (plan === null) throw new Error(`file ${file.id} has no plan`);
  const stride = Math.max(1, Math.ceil(plan.requests / SAMPLE_LINES));
  const byLane = new Map<number, Group | null>();
  const groups = new Map<string, Group>();
  let bytesTaken = 0;
  for await (const { first, count, view } of planWindows(deps, file, plan.lines)) {
    signal.throwIfAborted();
    for (let index = 0; index < count; index++) {
      if (!isRequest(view, index)) continue;
      const record = readPlanRecord(view, index);
      const { number, lane } = division.laneOf(first + index);
      let group = byLane.get(number);
      if (group === undefined) {
        group = lane.kind === 'run' ? groupOf(groups, lane, number) : null;
        byLane.set(number, group);
        if (groups.size > GROUPS_MAX) return null;
      }
      if (group === null) continue;
      const isSampled = group.requests % stride === 0;
      group.requests += 1;
      if (!isSampled || (bytesTaken + record.length > SAMPLE_BYTES && group.samples.length > 0)) continue;
      bytesTaken += record.length;
      group.samples.push({ line: first + index, bytes: await deps.files.readRange(file.contentKey, record) });
    }
  }
  return [...groups.values()];
}

function groupOf(groups: Map<string, Group>, lane: RunLane, number: number): Group {
  const byKey = new Map(lane.candidates.map((candidate) => [keyOf(candidate), candidate]));
  const key = [...byKey.keys()].sort().join('\n');
  let group = groups.get(key);
  if (group === undefined) {
    group = { lane, number, candidates: [...byKey.values()], requests: 0, samples: [] };
    groups.set(key, group);
  }
  return group;
}

function keyOf(candidate: Candidate): string {
  return JSON.stringify([loadKey(candidate), candidate.mode, candidate.params]);
}

/** Every target of a group in every mode in which it can be used within the window. */
async function optionsOf(deps: Deps, group: Group, comparison: Comparison): Promise<OpenOption[]> {
  const window = windowOf(deps, comparison);
  // Answers as long as past ones at some targets, and by limits at others, would compare what is not alike.
  const allHaveHistory = group.candidates.every((each) => comparison.known.get(targetName(each))?.history != null);
  const options = new Map<string, OpenOption>();
  for (const candidate of group.candidates) {
    const provider = deps.providers.get(candidate.provider);
    const can = { batch: provider?.batch !== undefined, immediate: provider?.immediate !== undefined };
    const wanted = candidate.mode === 'auto' ? (['auto', 'immediate'] as const) : [candidate.mode];
    for (const mode of new Set(wanted.map((each) => modeOf({ mode: each }, can, window)))) {
      const key = `${loadKey(candidate)} ${mode}`;
      if (mode !== null && !options.has(key)) {
        options.set(key, await optionOf(deps, group, candidate, mode, comparison, allHaveHistory));
      }
    }
  }
  return [...options.values()];
}

async function optionOf(
  deps: Deps,
  group: Group,
  candidate: Candidate,
  mode: PlanOption['mode'],
  { now, seconds, known }: Comparison,
  hasHistory: boolean,
): Promise<OpenOption> {
  const lane: RunLane = { ...group.lane, candidates: [candidate], shared: 1 };
  const target = targetName(candidate);
  const found = known.get(target);
  const own = found && { counter: found.counter.fresh(), history: hasHistory ? found.history : null };
  const estimator = new LineEstimator(
    deps,
    { place: () => ({ lane, number: group.number, candidate: 0, mode }) },
    { now, stride: 1, known: new Map(own ? [[target, own]] : []) },
  );
  for (const { line, bytes } of group.samples) {
    const counted = estimator.count(line);
    if (counted !== null) await estimator.look(counted, bytes);
  }
  const tallies = estimator.end();
  const figures = sumFigures(tallies.map((tally) => tally.present()));
  const scale = group.requests / Math.max(1, group.samples.length);
  const scaled = (count: number) => Math.round(count * scale);
  const provider = deps.providers.get(candidate.provider);
  const { unpriced_reason: unpricedReason } = figures;
  const expected = figures.cost.expected_nano_usd;
  const load = {
    requests: scaled(figures.requests - figures.refused_count),
    tokens: scaled(figures.input_tokens + figures.output_tokens.expected),
  };
  const paces = limitsOf(deps, candidate).flatMap((limit) => {
    const needed = secondsBy(limit, load);
    return needed === null ? [] : [{ key: limit.key, seconds: needed }];
  });
  const pace = paces.length === 0 ? null : Math.max(...paces.map((each) => each.seconds));
  const schedules = hoursOf(deps, candidate);
  const openMs = openFor(schedules, now * 1000, Number.POSITIVE_INFINITY, (now + seconds) * 1000).openMs;
  return {
    provider: candidate.provider,
    model: candidate.model,
    target,
    mode,
    requests: group.requests,
    refused: scaled(figures.refused_count),
    expectedNano: expected === null || unpricedReason !== null ? null : scaled(expected),
    unpricedReason,
    seconds: mode === 'batch' ? seconds : pace,
    paces,
    openSeconds: openMs / 1000,
    schedules,
    linesMin: mode === 'batch' ? (provider?.batch?.limits.linesMin ?? null) : null,
  };
}

function present(
  plans: readonly Plan<OpenOption>[],
  { split, total }: Pick<Estimate, 'split' | 'total'>,
  { now, seconds: windowSeconds }: Comparison,
): EstimatePlans {
  const lasts = ({ mode, schedules }: OpenOption, seconds: number): number =>
    mode === 'batch' ? seconds : openAfter(schedules, now, seconds, Math.max(windowSeconds, seconds));
  const options = plans.flatMap((plan) =>
    plan.options.map((option) => ({
      provider: option.provider,
      model: option.model,
      target: option.target,
      mode: option.mode,
      requests: option.requests,
      refused_count: option.refused,
      expected_nano_usd: option.expectedNano,
      expected_usd: formatUsd(option.expectedNano),
      expected_seconds: option.seconds === null ? null : Math.ceil(lasts(option, option.seconds)),
      verdict: option.verdict,
      reason: option.reason,
    })),
  );
  const reason = [...new Set(plans.map((plan) => plan.reason))].join(' ');
  if (plans.some(({ shares }) => shares.length === 0)) return { cheapest: null, options, reason };
  const shares = plans.flatMap((plan) => plan.shares);
  const isTheSplit =
    shares.length === split.length &&
    shares.every(({ option, requests }) =>
      split.some((each) => each.target === option.target && each.mode === option.mode && each.requests === requests),
    );
  const asRouted = total.unpriced_reason === null ? total.cost.expected_nano_usd : null;
  const sum = shares.reduce((nano, { expectedNano }) => nano + expectedNano, 0);
  // The split looks at more lines than this comparison: of the same plan there is one figure.
  const expected = isTheSplit && asRouted !== null ? asRouted : sum;
  const saves = asRouted === null ? null : asRouted - expected;
  const known = shares.every(({ seconds }) => seconds !== null);
  const longest = Math.max(...shares.map(({ option, seconds }) => lasts(option, seconds ?? 0)));
  return {
    cheapest: {
      shares: shares.map(({ option, requests, expectedNano }) => ({
        provider: option.provider,
        model: option.model,
        target: option.target,
        mode: option.mode,
        requests,
        expected_nano_usd: expectedNano,
        expected_usd: formatUsd(expectedNano) ?? '0',
      })),
      expected_nano_usd: expected,
      expected_usd: formatUsd(expected) ?? '0',
      saves_nano_usd: saves,
      saves_usd: formatUsd(saves),
      expected_finish_at: known ? now + Math.ceil(longest) : null,
    },
    options,
    reason,
  };
}
