import { describe, expect, it } from 'vitest';
import { baseUrl, isPrivateHost } from '../../../providers/shared/base-url.ts';
import { endpointUrl, healthUrl, modelsUrl } from '../../../providers/shared/openai-endpoints.ts';

describe('a base URL', () => {
  it.each([
    ['http://pool:8000', 'http://pool:8000/v1/chat/completions'],
    ['http://pool:8000/', 'http://pool:8000/v1/chat/completions'],
    ['http://pool:8000/v1', 'http://pool:8000/v1/chat/completions'],
    ['http://pool:8000/v1/', 'http://pool:8000/v1/chat/completions'],
    ['http://proxy/llm//', 'http://proxy/llm/v1/chat/completions'],
    ['https://api.groq.com/openai/v1', 'https://api.groq.com/openai/v1/chat/completions'],
    ['https://g.example/v1beta/openai/', 'https://g.example/v1beta/openai/chat/completions'],
    ['https://z.example/api/paas/v4', 'https://z.example/api/paas/v4/chat/completions'],
  ])('%s leads to %s', (base, expected) => {
    expect(endpointUrl(base, '/v1/chat/completions')).toBe(expected);
    expect(modelsUrl(base)).toBe(expected.replace('/chat/completions', '/models'));
  });

  it.each([
    ['http://pool:8000/v1/', 'http://pool:8000/health'],
    ['http://pool:8000', 'http://pool:8000/health'],
    ['http://proxy/llm/v1', 'http://proxy/llm/health'],
  ])('%s has its health check at %s', (base, expected) => {
    expect(healthUrl(base)).toBe(expected);
  });

  it.each([
    ['http://u:hunter22@pool/v1', 'user name or password'],
    ['http://pool/v1?key=hunter22', 'query'],
    ['ftp://hunter22/v1', 'http:// or https://'],
    ['hunter22', 'absolute URL'],
  ])('is refused without being repeated: %s', (text, reason) => {
    const { error } = baseUrl.safeParse(text);
    expect(error?.message).toContain(reason);
    expect(error?.message).not.toContain('hunter22');
  });

  it.each([
    ['127.0.0.1', true],
    ['localhost', true],
    ['10.1.2.3', true],
    ['172.16.0.1', true],
    ['172.32.0.1', false],
    ['192.168.1.1', true],
    ['169.254.169.254', false],
    ['8.8.8.8', false],
    ['[::1]', true],
    ['[fd12::1]', true],
    ['[2001:db8::1]', false],
    ['gpu-1', true],
    ['vllm.ml.svc.cluster.local', true],
    ['api.openai.com', false],
    ['localhost.example.com', false],
  ])('with the host %s is private: %s', (host, expected) => {
    expect(isPrivateHost(host)).toBe(expected);
  });
});
