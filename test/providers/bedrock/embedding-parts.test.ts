import { describe, expect, it } from 'vitest';
import { joinEmbeddings } from '../../../providers/bedrock/pieces.ts';
import type { Failed, Success } from '../../../providers/contract.ts';
import { refusal } from '../../../src/core/failure.ts';
import type { Usage } from '../../../src/core/usage.ts';

function answered(usage: Usage | null): Success {
  const list = { object: 'list', data: [], model: 'm', usage: { prompt_tokens: 0, total_tokens: 0 } };
  const none = { servedModel: 'm', finishReason: null, warnings: [] };
  return { ok: true, status: 200, requestId: 'r', body: JSON.stringify(list), usage, rawUsage: usage, ...none };
}

function failed(status: number | null, reachedProvider: boolean): Failed {
  const failure = { ...refusal('server_error', 'server_error', 'No.'), status, reachedProvider };
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}

describe('an embeddings request of several records, one of which failed', () => {
  it('was billed for what the others used, also where that one was not run', () => {
    const joined = joinEmbeddings([failed(null, false), answered({ input_tokens: 3 })], 'float');
    expect(joined).toMatchObject({ ok: false, usage: { input_tokens: 3 }, failure: { reachedProvider: true } });
  });

  it('is not free where the others do not say what they used', () => {
    const joined = joinEmbeddings([answered(null), failed(500, true)], 'float');
    expect(joined).toMatchObject({ ok: false, usage: null, failure: { status: 200, reachedProvider: true } });
  });

  it('of which nothing was run is free', () => {
    const joined = joinEmbeddings([failed(null, false), failed(null, false)], 'float');
    expect(joined).toMatchObject({ ok: false, usage: null, failure: { reachedProvider: false } });
  });
});
