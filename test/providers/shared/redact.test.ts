import { describe, expect, it } from 'vitest';
import { redact } from '../../../providers/shared/redact.ts';

const kept: string[] = [
  "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion).",
  'Rate limit reached for gpt-4o-mini on tokens per min (TPM): Limit 200000, Used 199000. Please try again in 1.5s.',
  'You can find your API key at https://platform.openai.com/account/api-keys.',
  "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
  'The requested endpoint POST /v1/chat/completions is not served; request id 9f1c2b3a-0d4e-4f5a-8b6c-7d8e9f0a1b2c.',
  'could not decode “日本語” 🎉',
  'user_location is not known; sub_category must be set',
];

const removed: [string, string, string][] = [
  ['an OpenAI key', 'Incorrect API key provided: sk-proj-abc123DEF456.', 'sk-proj'],
  ['a half-hidden key', 'Incorrect API key provided: sk-abcd********wxyz.', 'wxyz'],
  ['a Groq key', 'bad key gsk_aaaabbbbccccdddd', 'gsk_'],
  ['a Google key', `bad key ${'AI'}zaSyA1234567890abcdefghij`, 'zaSy'],
  ['a bearer token', 'header Authorization: Bearer abc.def-ghi was refused', 'abc.def'],
  ['a token with dots', 'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc expired', 'eyJ'],
  ['a key by its label', 'request had api_key="hunter22" in it', 'hunter22'],
  ['an Azure key', 'key 0123456789abcdef0123456789abcdef is unknown', '0123456789abcdef'],
  ['an organization', 'Rate limit reached in organization org-AbCdEfGh1234', 'AbCdEfGh1234'],
  ['a project', 'project proj_AbCdEfGh1234 is archived', 'AbCdEfGh1234'],
  ['an AWS resource', 'not authorized on arn:aws:bedrock:us-east-1:123456789012:model/x', '123456789012'],
  ['an internal URL', 'upstream http://10.0.0.5:8000/v1/chat failed', '10.0.0.5'],
  ['an internal https URL', 'see https://vllm.prod.internal/health', 'prod'],
  ['a cloud resource', 'resource https://contoso-eu.openai.azure.com/openai is gone', 'contoso'],
  ['a bucket', 'cannot read s3://acme-private/data.jsonl', 'acme'],
  ['a public URL with a query', 'GET https://example.com/v1?key=topsecret', 'topsecret'],
  ['an address', 'connect ECONNREFUSED 192.168.7.9:443', '192.168.7.9'],
  ['a cluster name', 'dial vllm-0.models.svc:8000 timed out', 'vllm-0'],
  ['a path', 'File "/usr/lib/python3.12/site-packages/vllm/x.py", line 3', 'site-packages'],
  ['the exact secret of the call', 'you sent correct-horse-battery', 'correct-horse'],
];

describe('redaction of provider texts', () => {
  it.each(kept)('keeps what helps: %s', (text) => {
    expect(redact(text, ['correct-horse-battery'])).toBe(text);
  });

  it.each(removed)('removes %s', (_name, text, secret) => {
    expect(text).toContain(secret);
    expect(redact(text, ['correct-horse-battery'])).not.toContain(secret);
  });

  it('makes one line of bounded length, whatever comes', () => {
    const text = redact(`a\nb\u2028c\u0085d\u0000${'x '.repeat(100_000)}`, []);
    expect(text.startsWith('a b c d x')).toBe(true);
    expect(text.length).toBeLessThanOrEqual(1001);
  });

  it('does not leave half a character at the cut', () => {
    expect(redact('🎉 '.repeat(600), []).isWellFormed()).toBe(true);
    expect(redact(`x${'🎉'.repeat(600)}`, []).isWellFormed()).toBe(true);
  });

  it('stays fast on texts made to be slow', () => {
    const slow = ['a.'.repeat(2000), 'api_key '.repeat(500), '1.1.1.'.repeat(700), 'http://'.repeat(600)];
    // The shortest of some times: a busy machine makes single ones long.
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      for (const text of slow) redact(text, []);
      return performance.now() - started;
    });
    expect(Math.min(...times)).toBeLessThan(200);
  });
});
