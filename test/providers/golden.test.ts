import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readers as azure } from '../../providers/azure/results.ts';
import { readers as openai } from '../../providers/openai/results.ts';
import { readers as compatible } from '../../providers/openai-compatible/results.ts';
import { readers as sandbox } from '../../providers/sandbox/results.ts';
import { type ResultReaders, resultOf } from '../../providers/shared/openai-results.ts';
import { readers as vllm } from '../../providers/vllm/results.ts';
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoint.ts';

interface Golden {
  about: string;
  endpoint: Endpoint;
  status: number;
  headers: Record<string, string>;
  body: unknown;
  expect: object;
}

const folder = new URL('../golden/responses/', import.meta.url);
const readersByKind: Record<string, ResultReaders> = { azure, openai, 'openai-compatible': compatible, sandbox, vllm };
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'));

describe('recorded answers', () => {
  it.each(files)('%s means what it should', (path) => {
    const golden = JSON.parse(readFileSync(new URL(path, folder), 'utf8')) as Golden;
    expect(ENDPOINTS).toContain(golden.endpoint);
    const readers = readersByKind[path.split('/')[0] ?? ''];
    if (readers === undefined) throw new Error(`no readers for ${path}`);
    const text = typeof golden.body === 'string' ? golden.body : JSON.stringify(golden.body);
    const response = { status: golden.status, headers: golden.headers, body: new TextEncoder().encode(text) };
    const result = resultOf(golden.endpoint, response, { provider: 'p', secrets: [], nowMs: 0 }, readers);
    expect(result).toMatchObject(golden.expect);
    if (result.ok) expect(result.body).toBe(text);
    else if (result.body !== null) {
      const { message, type, param, code } = result.failure;
      expect(JSON.parse(result.body)).toEqual({ error: { message, type, param, code } });
    }
  });
});
