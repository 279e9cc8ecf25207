import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promptStart } from '../../../src/core/prefix-map.ts';
import type { Answer } from './answer.ts';
import { parseBody } from './checks.ts';
import { countOne } from './counters.ts';
import { cutIntoPieces, Delivery, streamPieces } from './delivery.ts';
import { type ErrorAnswer, errorBody, faultError, invalidRequest, overflowAnswer, wrongKey } from './errors.ts';
import { latencyOf, retryAfterHeaders, unreadableBody } from './faults.ts';
import { countCustom, hasKey, logEntry, prepareAnswer } from './intake.ts';
import type { EndpointRoute } from './paths.ts';
import type { Fault } from './settings.ts';
import type { SlotUser } from './slots.ts';
import type { ConnectionUser, LoggedRequest, ServerState } from './state.ts';

// Long enough for what was written to leave before the reset overtakes it.
const RESET_DELAY_MS = 5;
const SLOW_PIECES = 10;

const BODY_TOO_LARGE: ErrorAnswer = { ...invalidRequest('The request body is too large.'), status: 413 };

type Cut = 'resets' | 'resets_mid_body' | 'client_aborts' | 'crash_cuts';

/** One request to a model endpoint, from its body's arrival to its end; each is counted in exactly one way. */
export class Exchange implements SlotUser, ConnectionUser {
  readonly #state: ServerState;
  readonly #route: EndpointRoute;
  readonly #request: IncomingMessage;
  readonly #delivery: Delivery;
  #answer: Answer | null = null;
  #fault: Fault | null = null;
  #asStream = false;
  #prompt = '';
  #customKey: string | undefined;
  #logged: LoggedRequest | undefined;
  #place: 'none' | 'waiting' | 'running' = 'none';
  #ended = false;

  constructor(state: ServerState, route: EndpointRoute, request: IncomingMessage, response: ServerResponse) {
    this.#state = state;
    this.#route = route;
    this.#request = request;
    this.#delivery = new Delivery(response, state.nextRequestId());
  }

  /** Takes the whole body (null: it was larger than the server reads) and sees to the answer. */
  receive(raw: Buffer | null): void {
    const { counters } = this.#state;
    counters.received += 1;
    const number = counters.received;
    countOne(counters.by_endpoint, this.#route.endpoint);
    if (this.#request.socket.destroyed) {
      this.connectionClosed();
      return;
    }
    const outcome = raw === null ? BODY_TOO_LARGE : this.#admit(raw, number);
    if (outcome === 'admitted') this.#enterSlot();
    else if (outcome === 'reset') this.#reset('resets');
    else this.#refuse(outcome);
  }

  /** Decides at the door: the error to refuse with, a reset, or admission with the answer or fault to come. */
  #admit(raw: Buffer, number: number): ErrorAnswer | 'reset' | 'admitted' {
    const { settings, faults, random } = this.#state;
    const digest = hash('sha256', raw, 'hex');
    const body = parseBody(raw);
    this.#customKey = countCustom(this.#state, this.#request, body, digest);
    if (settings.log_size > 0) {
      this.#logged = logEntry(this.#request, number, raw);
      this.#state.logRequest(this.#logged);
    }
    if (settings.api_key !== null && !hasKey(this.#request, settings.api_key)) return wrongKey(this.#route.azure);

    const fault = faults.faultOf(number, raw, random);
    this.#fault = fault;
    if (fault === 'reset') return 'reset';
    if (fault === 'hang') return 'admitted';
    if (typeof fault === 'number') {
      // Rate limits and overload are refused at the door; a server error comes after the time an answer takes.
      return fault < 500 || fault === 503 ? faultError(fault) : 'admitted';
    }
    const prepared = prepareAnswer(this.#state, this.#route, body, digest);
    if ('status' in prepared) return prepared;
    this.#answer = prepared;
    if (this.#state.settings.prefix_cache !== null) this.#prompt = promptStart(body ?? {}, Number.POSITIVE_INFINITY);
    this.#asStream = prepared.events !== undefined && body?.stream === true;
    return 'admitted';
  }

  #enterSlot(): void {
    this.#place = 'waiting';
    const entered = this.#state.slots.enter(this);
    if (entered === 'waiting') this.#watchConnection();
    if (entered !== 'refused') return;
    this.#place = 'none';
    const { status, body } = overflowAnswer(this.#state.settings);
    this.#send(status, body, 'application/json', this.#retryAfter());
  }

  startRunning(): void {
    this.#place = 'running';
    if (this.#request.socket.destroyed) {
      // Its turn came by the end of another request on the same connection: no work is done for it.
      this.#answer = null;
      this.#cut(this.#cutByClose());
      return;
    }
    if (this.#fault === 'hang') {
      this.#state.counters.hangs += 1;
      this.#watchConnection();
      return;
    }
    const { settings, random } = this.#state;
    // A stream spends its time per token between the events.
    const tokens = this.#asStream ? 0 : (this.#answer?.tokensOut ?? 0);
    const latency = latencyOf(settings.latency_ms, tokens, random) + this.#prefill();
    if (latency === 0) {
      this.#deliver();
    } else {
      this.#watchConnection();
      this.#delivery.wait(latency, () => this.#deliver());
    }
  }

  /** Reads the prompt; how long that takes, in milliseconds. */
  #prefill(): number {
    const { settings, prefixes } = this.#state;
    const answer = this.#answer;
    if (answer === null || (settings.prefix_cache === null && settings.prefill_ms_per_token === 0)) return 0;
    const cached = settings.prefix_cache === null ? 0 : prefixes.read(this.#prompt, settings.prefix_cache);
    answer.cachedTokens = Math.floor(cached * answer.tokensIn);
    return settings.prefill_ms_per_token * (answer.tokensIn - answer.cachedTokens);
  }

  #deliver(): void {
    const answer = this.#answer;
    if (answer === null) this.#refuse(faultError(typeof this.#fault === 'number' ? this.#fault : 500));
    else if (this.#fault === 'bad_json') this.#deliverUnreadable(answer);
    else if (this.#asStream) this.#deliverStream(answer);
    else if (this.#fault === null) this.#send(200, JSON.stringify(answer.object));
    else this.#deliverFaulty(answer);
  }

  #deliverUnreadable(answer: Answer): void {
    const { settings, random, counters } = this.#state;
    const { type, body } = unreadableBody(settings.bad_json, JSON.stringify(answer.object), random);
    counters.bad_json += 1;
    this.#send(200, body, type);
  }

  #deliverFaulty(answer: Answer): void {
    const bytes = Buffer.from(JSON.stringify(answer.object));
    this.#delivery.open(200, 'application/json', ['content-length', String(bytes.length)]);
    this.#deliverPieces(cutIntoPieces(bytes, SLOW_PIECES), 0);
  }

  #deliverStream(answer: Answer): void {
    // Responses streams end with their last event, the older ones with a word of their own.
    const pieces = streamPieces(answer, this.#route.endpoint === '/v1/responses' ? null : '[DONE]');
    const latency = this.#state.settings.latency_ms;
    const perToken = typeof latency === 'object' && 'per_token' in latency ? latency.per_token : 0;
    this.#delivery.open(200, 'text/event-stream; charset=utf-8', ['cache-control', 'no-cache']);
    this.#deliverPieces(pieces, (perToken * answer.tokensOut) / pieces.length);
  }

  /** Delivers all pieces with a pause (ms) between them, or half of them if the connection is to be reset. */
  #deliverPieces(pieces: readonly (Buffer | string)[], pause: number): void {
    this.#watchConnection();
    if (this.#fault === 'reset_mid_body') {
      const half = pieces.slice(0, Math.ceil(pieces.length / 2));
      const reset = () => this.#delivery.wait(RESET_DELAY_MS, () => this.#reset('resets_mid_body'));
      this.#delivery.drip(half, pause, reset);
      return;
    }
    const { counters, settings } = this.#state;
    const slow = this.#fault === 'slow_body';
    this.#delivery.drip(pieces, slow ? settings.slow_body_ms / pieces.length : pause, () => {
      this.#delivery.end();
      if (slow) counters.slow_bodies += 1;
      this.#endAnswered(200);
    });
  }

  #refuse(error: ErrorAnswer): void {
    const headers = error.status === 429 || error.status === 503 ? this.#retryAfter() : [];
    this.#send(error.status, errorBody(error, this.#state.settings.error_shape), 'application/json', headers);
  }

  #retryAfter(): string[] {
    return retryAfterHeaders(this.#state.settings, Date.now());
  }

  #send(status: number, body: string, type?: string, headers?: string[]): void {
    this.#delivery.send(status, body, type, headers);
    this.#endAnswered(status);
  }

  #reset(counter: Cut): void {
    this.#cut(counter);
    this.#request.socket.resetAndDestroy();
  }

  connectionClosed(): void {
    if (this.#ended) return;
    // A hang was counted when it began.
    if (this.#fault === 'hang' && this.#place === 'running') this.#end();
    else this.#cut(this.#cutByClose());
  }

  #cutByClose(): Cut {
    return this.#state.down ? 'crash_cuts' : 'client_aborts';
  }

  #cut(counter: Cut): void {
    this.#state.counters[counter] += 1;
    if (this.#answer && this.#place === 'running') this.#countLost(this.#answer);
    this.#end();
  }

  #endAnswered(status: number): void {
    countOne(this.#state.counters.by_status, status);
    if (this.#logged) this.#logged.status = status;
    if (this.#answer && status === 200) {
      if (this.#fault === 'bad_json') this.#countLost(this.#answer);
      else this.#countGood(this.#answer);
    }
    this.#end();
  }

  #countGood(answer: Answer): void {
    const { counters } = this.#state;
    counters.tokens_in += answer.tokensIn;
    counters.tokens_out += answer.tokensOut;
    counters.cached_tokens += answer.cachedTokens;
    countOne(counters.by_finish_reason, answer.finish);
    if (this.#customKey !== undefined) countOne(counters.answered_by_custom, this.#customKey);
  }

  #countLost(answer: Answer): void {
    this.#state.counters.lost_tokens_in += answer.tokensIn;
    this.#state.counters.lost_tokens_out += answer.tokensOut;
  }

  #watchConnection(): void {
    this.#state.usersOf(this.#request.socket)?.add(this);
  }

  /** Gives back the slot and whatever else is held. */
  #end(): void {
    this.#ended = true;
    this.#delivery.stop();
    this.#state.usersOf(this.#request.socket)?.delete(this);
    if (this.#place !== 'none') this.#state.slots.leave(this);
  }
}
