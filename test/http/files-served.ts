import type OpenAI from 'openai';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import type { FileObject } from '../../src/protocol/file.ts';
import { line, objects } from '../services/file-inputs.ts';
import { form, type Listening, listen, type Part, sendForm } from './files-server.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

export const FILE_BYTES_MAX = 2_000_000;

export const content = `${line('a')}\n${line('b')}\n`;
export const file: Part = { name: 'file', filename: 'in.jsonl', type: 'application/jsonl', body: content };
export const purpose: Part = { name: 'purpose', body: 'batch' };

/** An app that takes files of a bounded size, a server of it on a real socket, and the official SDK. */
export interface Served {
  harness: Harness;
  server: Listening;
  client: OpenAI;
}

/** One for all tests of a file: there when they begin, closed when they have ended. */
export function serveFiles(): Served {
  const served = {} as Served;
  beforeAll(async () => {
    served.harness = await openHarness({ settings: { ...DEFAULT_SETTINGS, maxFileBytes: FILE_BYTES_MAX } });
    served.server = await listen(served.harness);
    served.client = served.server.client;
  });
  afterAll(async () => {
    await served.server.close();
    await served.harness.close();
  });
  return served;
}

/** Creates a file by a form. */
export async function create(
  { harness }: Served,
  parts: readonly Part[],
  headers?: Record<string, string>,
): Promise<FileObject> {
  const answer = await sendForm(harness, '/v1/files', form(parts), headers);
  expect(answer.status).toBe(200);
  return (await answer.json()) as FileObject;
}

/** The error that a form is refused with; nothing of it is kept. */
export async function refused({ harness }: Served, parts: readonly Part[], status: number) {
  const before = await objects(harness.deps);
  const answer = await sendForm(harness, '/v1/files', form(parts));
  expect(answer.status).toBe(status);
  expect(await objects(harness.deps)).toEqual(before);
  return errorOf(answer);
}
