/** Small words of the tests of bad input and early ends: what was refused, and who asks. */
import OpenAI from 'openai';
import { expect } from 'vitest';
import { connect, type Weir } from './weir.ts';

export interface Refusal {
  status: number;
  code: string | null;
  param: string | null;
  message: string;
}

/** The refusal that a call of the SDK ends with; fails when the call succeeds. Every refusal has OpenAI's envelope. */
export async function refusalOf(call: PromiseLike<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const { status, code, param, error: body } = error;
    const { message, type } = body as { message: string; type: string };
    expect(message.length, 'a refusal says what to do').toBeGreaterThan(10);
    expect(type).toBeTruthy();
    return { status: status ?? 0, code: code ?? null, param: param ?? null, message };
  }
  throw new Error('the call was not refused');
}

/** A request of any shape; the answer's JSON beside its status. */
export async function ask(
  weir: Pick<Weir, 'url' | 'client'>,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const headers = { authorization: `Bearer ${weir.client.apiKey}`, ...(init.headers as Record<string, string>) };
  const response = await fetch(weir.url + path, { ...init, headers });
  const text = await response.text();
  const isJson = /^application\/json(;|$)/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, body: isJson ? JSON.parse(text) : { text }, headers: response.headers };
}

/** POST of a JSON body; `body` absent sends none. */
export function post(
  weir: Pick<Weir, 'url' | 'client'>,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): ReturnType<typeof ask> {
  return ask(weir, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
}

/** The code of an answer in OpenAI's error envelope. */
export function codeOf(answer: { body: Record<string, unknown> }): string | null | undefined {
  return (answer.body.error as { code: string | null } | undefined)?.code;
}

/** Uploads text or bytes as a batch input; its id. */
export async function upload(weir: Pick<Weir, 'client'>, content: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const file = new File([content], 'input.jsonl');
  return (await weir.client.files.create({ file, purpose: 'batch' })).id;
}

/** Starts a batch on an uploaded file. */
export function start(
  weir: Pick<Weir, 'client'>,
  fileId: string,
  options: { endpoint?: string; window?: string; config?: string | object } = {},
): Promise<OpenAI.Batch> {
  return weir.client.batches.create({
    input_file_id: fileId,
    endpoint: options.endpoint ?? '/v1/chat/completions',
    completion_window: options.window ?? 'immediate',
    ...(options.config !== undefined && { config: options.config }),
  } as OpenAI.BatchCreateParams);
}

/** A connection with a key of its own, in the tenant. */
export async function connectAs(
  weir: Weir,
  tenant: string,
  role: 'admin' | 'user' = 'user',
): Promise<Omit<Weir, 'stop'> & { keyId: string }> {
  const key = await weir.call<{ id: string; secret: string }>('/v1/keys', {
    method: 'POST',
    body: JSON.stringify({ name: `${tenant} ${role}`, tenant_id: tenant, role }),
  });
  return { ...connect(weir.url, key.secret), keyId: key.id };
}
