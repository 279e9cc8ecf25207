import { signal } from '@preact/signals';
import type { BatchObject } from '../../protocol/batch.ts';
import type { BatchesEvent } from '../../protocol/events.ts';
import { ApiFailure, call, withQuery } from './api.ts';
import { tenantQuery } from './tenant.ts';

/** Batches that run now, newest first; renewed by the server's events. */
export const runningBatches = signal<BatchObject[]>([]);
/** The last state of batches by id, as events told it. */
export const liveBatches = signal<ReadonlyMap<string, BatchObject>>(new Map());
/** Rises whenever batches began or ended, so that lists and sums ask again. */
export const turnover = signal(0);
export const liveState = signal<'on' | 'off' | 'idle'>('idle');

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 20_000;
/** The server gives a sign of life every 15 seconds. */
const SILENCE_MS = 40_000;
const REMEMBERED = 100;

/** Follows the server's events until the function it answers is called. Comes back after every break. */
export function startLive(): () => void {
  const stop = new AbortController();
  void follow(stop.signal);
  return () => {
    stop.abort();
    liveState.value = 'idle';
    runningBatches.value = [];
    liveBatches.value = new Map();
  };
}

async function follow(stopped: AbortSignal): Promise<void> {
  let lastId: string | null = null;
  let pause = RETRY_MS_MIN;
  while (!stopped.aborted) {
    try {
      const path = withQuery('/v1/events', tenantQuery());
      const headers = lastId === null ? {} : { 'last-event-id': lastId };
      const silence = new AbortController();
      const response = await call('GET', path, { headers, signal: AbortSignal.any([stopped, silence.signal]) });
      liveState.value = 'on';
      pause = RETRY_MS_MIN;
      for await (const message of readMessages(response, silence)) {
        if (message.id !== null) lastId = message.id;
        if (message.data !== null) take(JSON.parse(message.data) as BatchesEvent);
      }
      // The server ends streams now and then; that is no trouble.
      continue;
    } catch (error) {
      if (stopped.aborted) return;
      liveState.value = 'off';
      if (error instanceof ApiFailure && error.status === 401) return;
    }
    await new Promise((wake) => setTimeout(wake, pause));
    pause = Math.min(pause * 2, RETRY_MS_MAX);
  }
}

interface Message {
  id: string | null;
  data: string | null;
}

/** The messages of an event stream; aborts `silence` when nothing comes for too long. */
async function* readMessages(response: Response, silence: AbortController): AsyncGenerator<Message> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let text = '';
  for (;;) {
    const timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    text += value;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield parseMessage(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function parseMessage(text: string): Message {
  const field = (name: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2) ?? null;
  return { id: field('id'), data: field('data') };
}

function take(event: BatchesEvent): void {
  const before = new Set(runningBatches.value.map(({ id }) => id));
  const isNew = event.running.some(({ id }) => !before.has(id));
  const known = new Map(liveBatches.value);
  for (const batch of [...event.ended, ...event.running]) {
    known.delete(batch.id);
    known.set(batch.id, batch);
  }
  for (const id of known.keys()) {
    if (known.size <= REMEMBERED) break;
    known.delete(id);
  }
  runningBatches.value = event.running;
  liveBatches.value = known;
  if (isNew || event.ended.length > 0 || !event.complete) turnover.value += 1;
}
