import type { Converted, Provider } from '../../../providers/contract.ts';
import { nextOpening } from '../../core/batch-hours.ts';
import { estimateOutput, type OutputTokens } from '../../core/estimate.ts';
import { InputCounter } from '../../core/estimate-input.ts';
import { ShareTally } from '../../core/estimate-share.ts';
import { type Failure, refusal } from '../../core/failure.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { applyParams } from '../../core/params.ts';
import { afterShardFailure } from '../../core/shard-plan.ts';
import { parseRequestLine } from '../../core/validate-input.ts';
import { pickByCount, type WeightedPicker } from '../../core/weights.ts';
import type { Deps } from '../../ports/deps.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { providerRates } from '../ledger/provider-rates.ts';
import { layLine } from '../shards/native-input.ts';
import type { DryDivision, LinePlace } from './dry-division.ts';
import { hoursOf } from './pace.ts';

/** A line that is to be looked at. */
export interface CountedLine {
  /** 0-based. */
  line: number;
  tally: ShareTally;
  target: Target;
}

/** What is known of a target before its lines are looked at. */
export interface KnownTarget {
  counter: InputCounter;
  /** How long its answers were. */
  history: OutputTokens | null;
}

const UNKNOWN_TARGET: KnownTarget = { counter: new InputCounter(null), history: null };

export interface EstimatorOptions {
  /** Unix seconds. */
  now: number;
  stride: number;
  known: ReadonlyMap<string, KnownTarget>;
  /** The window of the batch, where it is of interest whether targets open within it. */
  seconds?: number | undefined;
}

interface RunTarget {
  kind: 'run';
  provider: Provider;
  candidate: Candidate;
  mode: LinePlace['mode'];
}

type Target = RunTarget | { kind: 'refused'; failure: Failure };

/** Counts the lines of a file by their first target, and looks at every `stride`th line of each. */
export class LineEstimator {
  private readonly deps: Pick<Deps, 'providers' | 'prices' | 'ownPrices'>;
  private readonly division: Pick<DryDivision, 'place'>;
  private readonly now: number;
  private readonly stride: number;
  private readonly known: ReadonlyMap<string, KnownTarget>;
  private readonly byTarget = new Map<string, ShareTally>();
  /** Tallies of provider batches, and where the lines go that only a batch service refuses. */
  private readonly diverted = new Map<ShareTally, ShareTally>();
  private readonly pickers = new Map<number, WeightedPicker>();
  private readonly sent = new Map<Candidate, number>();
  private readonly untilMs: number;
  /** What the hours of a target mean for its lines; null: nothing. */
  private readonly hours = new Map<Candidate, string | null>();

  constructor(
    deps: Pick<Deps, 'providers' | 'prices' | 'ownPrices'>,
    division: Pick<DryDivision, 'place'>,
    { now, stride, known, seconds }: EstimatorOptions,
  ) {
    this.untilMs = seconds === undefined ? Number.POSITIVE_INFINITY : (now + seconds) * 1000;
    this.known = known;
    this.deps = deps;
    this.division = division;
    this.now = now;
    this.stride = stride;
  }

  /** To be called once, at the end: what each target gets, in the order in which the file first needs them. */
  end(): ShareTally[] {
    for (const [tally, single] of this.diverted) single.requests += tally.leave();
    return [...this.byTarget.values()].filter(({ requests }) => requests > 0);
  }

  /** Counts 0-based `line`, a request; null when it need not be looked at. Lines must come in the order of the file. */
  count(line: number): CountedLine | null {
    const target = this.targetOf(this.division.place(line));
    const tally = this.tallyOf(target);
    tally.requests += 1;
    if (target.kind === 'run') this.sent.set(target.candidate, (this.sent.get(target.candidate) ?? 0) + 1);
    return (tally.requests - 1) % this.stride === 0 ? { line, tally, target } : null;
  }

  /** How many lines were counted for each target, apart where their routes say different things of it. */
  get counts(): ReadonlyMap<Candidate, number> {
    return this.sent;
  }

  /** Converts the line of `bytes` for its target, and adds what that tells. */
  async look({ line, tally, target }: CountedLine, bytes: Uint8Array): Promise<void> {
    const request = parseRequestLine(bytes);
    const number = line + 1;
    if (target.kind === 'refused') {
      tally.refuse(number, request.customId, target.failure);
      return;
    }
    const { provider, candidate, mode } = target;
    const body = applyParams(request.body, candidate.params);
    const converted = convertFor(target, line, { ...request, body });
    if (!converted.ok && goesSingly(target, converted.failure)) {
      // Its batch service alone does not take it: the provider's ordinary API gets it.
      tally.diverted += 1;
      const single: RunTarget = { ...target, mode: 'immediate' };
      await this.look({ line, tally: this.tallyOf(single), target: single }, bytes);
      this.diverted.set(tally, this.tallyOf(single));
      return;
    }
    if (!converted.ok) {
      tally.refuse(number, request.customId, converted.failure);
      return;
    }
    const { counter, history } = this.knownOf(candidate);
    const inputTokens = await counter.count(body);
    const query = { model: candidate.model, isBatch: mode === 'batch', at: this.now, inputTokens };
    const found = providerRates(this.deps, provider, query);
    const closed = mode === 'batch' ? null : this.hoursWarning(candidate);
    const warnings = closed === null ? converted.warnings : [...converted.warnings, closed];
    tally.add(inputTokens, estimateOutput(request.endpoint, body, history), found, warnings);
  }

  private hoursWarning(candidate: Candidate): string | null {
    let known = this.hours.get(candidate);
    if (known === undefined) {
      const schedules = hoursOf(this.deps, candidate);
      const isEver = nextOpening(schedules, this.now * 1000, this.untilMs) !== null;
      known = isEver ? null : 'the hours of the target (schedule) do not begin before the window ends';
      this.hours.set(candidate, known);
    }
    return known;
  }

  private knownOf(candidate: Candidate): KnownTarget {
    return this.known.get(targetName(candidate)) ?? UNKNOWN_TARGET;
  }

  private basisOf(target: Target): ShareTally['basis'] {
    if (target.kind === 'refused') return { input_basis: null, output_basis: null };
    const { counter, history } = this.knownOf(target.candidate);
    return { input_basis: counter.method, output_basis: history === null ? 'limits' : 'history' };
  }

  private targetOf({ lane, number, candidate, mode }: LinePlace): Target {
    if (lane.kind === 'refuse') return { kind: 'refused', failure: lane.failure };
    const chosen = lane.candidates[lane.shared > 1 ? this.pickShared(number, lane) : candidate];
    const provider = chosen && this.deps.providers.get(chosen.provider);
    if (!chosen || !provider) throw new Error(`lane ${number} has no candidate ${candidate}`);
    if (mode === 'batch' || provider.immediate) return { kind: 'run', provider, candidate: chosen, mode };
    const least = provider.batch?.limits.linesMin ?? 0;
    const message =
      `${provider.name} takes no batches of fewer than ${least} lines and no single requests. ` +
      'Add lines, or give the route a target that takes single requests.';
    return { kind: 'refused', failure: refusal('unsupported', 'mode_unsupported', message) };
  }

  /** Targets that pull from one queue: how fast each will be is not known, so their weights divide it. */
  private pickShared(number: number, lane: { candidates: readonly Candidate[]; shared: number }): number {
    let picker = this.pickers.get(number);
    if (picker === undefined) {
      picker = pickByCount(lane.candidates.slice(0, lane.shared).map(({ weight }) => weight));
      this.pickers.set(number, picker);
    }
    return picker.pick(1);
  }

  private tallyOf(target: Target): ShareTally {
    const key = target.kind === 'run' ? `${target.mode} ${targetName(target.candidate)}` : '';
    let tally = this.byTarget.get(key);
    if (tally === undefined) {
      tally = new ShareTally(namesOf(target), this.basisOf(target));
      this.byTarget.set(key, tally);
    }
    return tally;
  }
}

function namesOf(target: Target): ShareTally['names'] {
  if (target.kind === 'refused') return { provider: null, model: null, target: null, mode: null };
  const { provider, candidate, mode } = target;
  return { provider: provider.name, model: candidate.model, target: targetName(candidate), mode };
}

/** Whether a line that has no place in the provider's batch goes to the same provider as a single request. */
function goesSingly({ provider, candidate, mode }: RunTarget, failure: Failure): boolean {
  const sameTarget = provider.immediate !== undefined && candidate.mode === 'auto';
  return mode === 'batch' && afterShardFailure([candidate], 0, failure, sameTarget) === 0;
}

/** The line in the provider's form; its batch service may refuse what the provider itself takes. */
function convertFor({ provider, candidate, mode }: RunTarget, line: number, request: RequestLine): Converted {
  const converted = provider.convert(request, candidate.model);
  if (!converted.ok || mode === 'immediate' || !provider.batch) return converted;
  const laid = layLine(provider.name, provider.batch, line, converted.request);
  return typeof laid === 'string' ? converted : { ok: false, failure: laid };
}
