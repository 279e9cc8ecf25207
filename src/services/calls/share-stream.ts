import type { CacheAsk } from '../../ports/answer-cache.ts';
import type { Deps } from '../../ports/deps.ts';
import type { CallAccount } from './account.ts';
import { type StreamedAnswer, targetHeaders } from './answer.ts';
import { type CallInHand, tryCandidates } from './attempts.ts';
import { hitHeaders, type Keep } from './cached-call.ts';
import { deliverStream, sureToSettle } from './deliver-stream.ts';
import { type AnswerReader, LiveAnswer } from './live-answer.ts';
import { openStream } from './open-stream.ts';

/** The streams under way that others may listen to, by what they answer. */
export type LiveAnswers = Map<string, LiveAnswer>;

interface StreamToSend {
  hand: CallInHand;
  account: CallAccount;
  /** What is asked of its first target; null when its answer is for its own client alone. */
  ask: CacheAsk | null;
  /** Whether an answer of the candidate is one to `ask`. */
  answers(candidate: CallInHand['candidates'][number]): boolean;
  keep: Keep;
  /** Called when the call is over, its entry written. */
  closed: () => void;
}

/**
 * Sends a call whose answer streams, or listens to a stream that answers the same already, from its beginning. Throws
 * CallFailed when no candidate answers.
 */
export async function shareStream(deps: Deps, live: LiveAnswers, sent: StreamToSend): Promise<StreamedAnswer> {
  const { hand, ask } = sent;
  if (ask !== null) {
    for (let other = live.get(ask.key); other !== undefined; other = live.get(ask.key)) {
      const reader = other.join(hand.signal);
      if ((await other.begins) && other.isOpen) return listen(other, reader, sent);
      reader.leave();
      // It failed for the one who asked: the next one tries for itself.
      if (live.get(ask.key) === other) live.delete(ask.key);
    }
  }
  const answer = new LiveAnswer();
  const reader = answer.join(hand.signal);
  if (ask !== null) live.set(ask.key, answer);
  const forget = (): void => {
    if (ask !== null && live.get(ask.key) === answer) live.delete(ask.key);
  };
  try {
    const begun = await tryCandidates(
      deps,
      { ...hand, signal: answer.signal },
      openStream(hand.call.stream?.options ?? {}),
    );
    const { candidate, provider, warnings } = begun;
    const headers = targetHeaders(candidate, sent.account.attempts + 1, warnings);
    const closed = (): void => {
      forget();
      sent.closed();
    };
    const isAsked = sent.answers(candidate);
    answer.begin({ hand, begun, keep: sent.keep, closed }, isAsked);
    if (!isAsked) forget();
    const events = deliverStream({ call: hand.call, reader, provider: provider.name });
    return { status: 200, headers, events: sureToSettle(events) };
  } catch (error) {
    forget();
    answer.withdraw();
    reader.leave();
    throw error;
  }
}

/** Another's answer, entered at no cost when it is whole. */
function listen(live: LiveAnswer, reader: AnswerReader, { hand, account, closed }: StreamToSend): StreamedAnswer {
  const { candidate, provider } = live.begun;
  const enter = (): Promise<void> => account.enterCached({ candidate, provider, result: live.answer });
  const events = deliverStream({ call: hand.call, reader, provider: provider.name, enter, closed });
  return { status: 200, headers: hitHeaders(candidate), events: sureToSettle(events) };
}
