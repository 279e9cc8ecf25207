import type { BatchSubject } from '../../contract/provider-batch.ts';
import { describeBatchApi } from '../../contract/provider-batch.ts';
import { model, secret, startAnthropic } from './bench.ts';

describeBatchApi('anthropic', async (): Promise<BatchSubject> => {
  const { server, provider } = await startAnthropic();
  const always = { fail_on: 'any', fail_count: null } as const;
  const once = { fail_on: 'any', fail_count: 1 } as const;
  return {
    provider,
    model,
    secret,
    tokensIn: 'results',
    stop: () => server.stop(),
    simulator: {
      hold: () => server.configure({ hold: true }),
      release: () => server.configure({ hold: false }),
      held: () => server.held(),
      addForeign: () => server.addForeign(),
      sentBytes: () => server.sentBytes,
      faults: {
        loseCreateAnswer: () => server.configure({ fail_on: 'create', fail_with: 'lost_answer', fail_count: 1 }),
        stopHalfway: () => server.configure({ hold: 'half' }),
        expire: () => server.expire(),
        failEveryLine: () => server.configure({ rate_errored: 1 }),
        lateOutput: () => server.configure({ late_results: 3 }),
        cutNextDownload: () => server.configure({ cut_results: 'announced' }),
        shortenNextDownload: () => server.configure({ cut_results: 'unannounced' }),
        oddLines: () => server.configure({ odd_lines: true }),
        unknownStatus: () => server.configure({ status_word: 'reticulating', status_word_count: 1 }),
        backwardStatus: () => server.configure({ status_word: 'in_progress', status_word_count: 1 }),
        notFound: () => server.configure({ ...always, fail_on: 'retrieve', fail_with: 404 }),
        badPoll: (form) =>
          server.configure({ ...once, fail_on: 'retrieve', fail_with: form === 'error' ? 'error_object' : form }),
        rateLimitNext: () => server.configure({ ...once, fail_with: 429, retry_after: '7' }),
        quotaFull: () => server.configure({ queue_limit: 3 }),
        badCredentials: () => server.configure({ api_key: 'another' }),
        echoHeaders: () => server.configure({ ...always, fail_with: 'echo' }),
        largeAnswers: (bytes) => server.configure({ answer_characters: Math.ceil(bytes / 8) }),
      },
    },
  };
});
