import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Assets } from '../../src/ports/assets.ts';
import { type Harness, openHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await openHarness();
});
afterEach(() => harness.close());

interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: unknown[];
  responses?: Record<string, { description?: string; content?: object }>;
  parameters?: { name: string; in: string }[];
  requestBody?: { required?: boolean; content: Record<string, { schema?: unknown }> };
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { required?: string[] }>; securitySchemes: Record<string, unknown> };
}

async function document(): Promise<Document> {
  const answer = await harness.send('GET', '/openapi.json', { key: null });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Document;
}

const operations = (doc: Document) =>
  Object.entries(doc.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })),
  );

function* references(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return;
  for (const [name, value] of Object.entries(node)) {
    if (name === '$ref' && typeof value === 'string') yield value;
    else yield* references(value);
  }
}

/** Pages and files for people, which are no part of the API. */
const notApi = /^\/(docs|dashboard)(\/|$)/;

describe('/openapi.json', () => {
  it('lists every registered path with its method', async () => {
    const doc = await document();
    const listed = new Set(operations(doc).map(({ method, path }) => `${method.toUpperCase()} ${path}`));
    const registered = harness.app.routes
      .filter((route) => route.method !== 'ALL' && !notApi.test(route.path))
      .map((route) => `${route.method} ${route.path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}')}`);
    expect(registered.length).toBeGreaterThan(8);
    expect([...new Set(registered)].filter((route) => !listed.has(route))).toEqual([]);
    expect([...listed].filter((route) => !registered.includes(route))).toEqual([]);
  });

  it('has no reference that leads nowhere', async () => {
    const doc = await document();
    const broken = [...references(doc)].filter((reference) => {
      const steps = reference.replace(/^#\//, '').split('/');
      let node: unknown = doc;
      for (const step of steps) node = (node as Record<string, unknown> | undefined)?.[step];
      return node === undefined;
    });
    expect(broken).toEqual([]);
    expect([...references(doc)]).toContain('#/components/schemas/Error');
  });

  it('gives every operation a unique id, a summary, a tag, answers and the error envelope', async () => {
    const doc = await document();
    expect(doc.openapi).toBe('3.1.0');
    const ids = operations(doc).map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { method, path, operation } of operations(doc)) {
      const name = `${method} ${path}`;
      expect([name, operation.summary !== undefined && operation.summary !== '']).toEqual([name, true]);
      expect([name, operation.tags?.length]).toEqual([name, 1]);
      const answers = Object.entries(operation.responses ?? {});
      expect([name, answers.some(([status]) => /^[2]\d\d$/.test(status))]).toEqual([name, true]);
      for (const [status, answer] of answers)
        expect([name, status, typeof answer.description]).toEqual([name, status, 'string']);
      expect(Object.keys(operation.responses ?? {})).toContain('default');
    }
  });

  it('declares every parameter of a path, and no other', async () => {
    for (const { method, path, operation } of operations(await document())) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
      const declared = (operation.parameters ?? []).filter(({ in: place }) => place === 'path').map(({ name }) => name);
      expect([method, path, declared.join()]).toEqual([method, path, inPath.join()]);
    }
  });

  it('asks for the body wherever its schema has required members', async () => {
    const doc = await document();
    for (const { method, path, operation } of operations(doc)) {
      const schema = operation.requestBody?.content['application/json']?.schema as
        | { $ref?: string; required?: string[] }
        | undefined;
      if (schema === undefined) continue;
      const name = schema.$ref?.split('/').at(-1);
      const required = (name === undefined ? schema.required : doc.components.schemas[name]?.required) ?? [];
      if (required.length > 0) expect([method, path, operation.requestBody?.required]).toEqual([method, path, true]);
    }
  });

  it('asks for a key everywhere but at the open paths', async () => {
    const doc = await document();
    expect(doc).toMatchObject({ security: [{ key: [] }] });
    expect(doc.components.securitySchemes).toHaveProperty('key');
    for (const { method, path, operation } of operations(doc)) {
      const concrete = path.replaceAll(/\{\w+\}/g, 'x');
      const answer = await harness.send(method.toUpperCase(), concrete, { key: null });
      expect([path, answer.status === 401]).toEqual([path, operation.security === undefined]);
    }
  });
});

const swaggerRoot = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const TYPES: Record<string, string> = { css: 'text/css', js: 'text/javascript', png: 'image/png' };
const swaggerFiles: Assets = {
  async read(name) {
    const bytes = await readFile(join(swaggerRoot, name)).catch(() => null);
    return bytes && { bytes, type: TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream' };
  },
};

describe('/docs', () => {
  it('lists the operations without any asset or script', async () => {
    const answer = await harness.send('GET', '/docs', { key: null });
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toContain('text/html');
    expect(answer.headers.get('content-security-policy')).not.toContain('script-src');
    expect(text).toContain('GET /v1/ledger/entries');
    expect(text).not.toContain('<script');
  });

  it('serves Swagger UI from this server alone, without inline scripts', async () => {
    const full = await openHarness({ assets: swaggerFiles });
    const answer = await full.send('GET', '/docs', { key: null });
    const page = await answer.text();
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(links.length).toBeGreaterThanOrEqual(4);
    for (const link of links) {
      expect(link).toMatch(/^\/docs\//);
      const file = await full.send('GET', link, { key: null });
      expect([link, file.status]).toEqual([link, 200]);
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(50);
    }
    expect(page.match(/<script(?! src=)/)).toBeNull();
    await full.close();
  });

  it('serves no other file of the package, and none above it', async () => {
    const full = await openHarness({ assets: swaggerFiles });
    for (const name of ['package.json', 'index.html', '..%2f..%2fpackage.json', '%2e%2e%2fREADME.md']) {
      expect((await full.send('GET', `/docs/assets/${name}`, { key: null })).status).toBe(404);
    }
    await full.close();
  });
});
