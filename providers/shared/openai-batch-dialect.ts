import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { BatchLimits } from '../contract.ts';

/** How one service's files and batches differ from OpenAI's, as data. */
export interface BatchDialect {
  /** Paths under the base URL. */
  files: string;
  upload: string;
  batches: string;
  /** `purpose` of an input file. */
  purpose: string;
  /** Purposes under which our files are listed, each on its own; null where the list is not known to be filtered so. */
  listed: readonly string[] | null;
  /** Values of `completion_window` it takes; null when it takes any, or the create call has none. */
  windows: readonly string[] | null;
  /** The window asked for when the client names none; null when the create call has none. */
  window: string | null;
  /** Whose words the create call is in. */
  create: 'openai' | 'mistral';
  /** `bare` lines have a custom_id and a body only. */
  lines: 'full' | 'bare';
  /** What stands before `/chat/completions` in lines and in the create call. */
  urlPrefix: '/v1' | '';
  /** Endpoints of a batch; null for every one that the provider serves. */
  endpoints: readonly Endpoint[] | null;
  /** It keeps `metadata` and gives it back. */
  metadata: boolean;
  /** Form fields that let an input file expire by itself. */
  expiry: Readonly<Record<string, string>>;
  /** An input file is not ready at once: its status must be `processed` before the create call. */
  awaitsFile: boolean;
  /** How a list goes on. */
  paging: 'cursor' | 'page' | 'none';
  /** It honours `Idempotency-Key`. */
  idempotent: boolean;
  limits: BatchLimits;
}

const noLimits: BatchLimits = {
  lines: null,
  linesMin: null,
  bytes: null,
  lineBytes: null,
  jobs: null,
  enqueuedTokens: null,
};

/** openai/openai-openapi, CreateBatchRequest: 50,000 requests and 200 MB, read as decimal; one window. */
export const openaiDialect: BatchDialect = {
  files: '/files',
  upload: '/files',
  batches: '/batches',
  purpose: 'batch',
  listed: ['batch', 'batch_output'],
  windows: ['24h'],
  window: '24h',
  create: 'openai',
  lines: 'full',
  urlPrefix: '/v1',
  endpoints: null,
  metadata: true,
  expiry: {},
  awaitsFile: false,
  paging: 'cursor',
  idempotent: false,
  limits: { ...noLimits, lines: 50_000, bytes: 200_000_000 },
};

/**
 * MicrosoftDocs/azure-ai-docs, how-to-batch-content.md: 100,000 requests and 200 MB; files that expire (14 to 30 days,
 * dotted form fields) have a quota of 10,000 instead of 500. The dated API writes endpoints without `/v1`.
 */
export function azureDialect(isDated: boolean): BatchDialect {
  return {
    ...openaiDialect,
    urlPrefix: isDated ? '' : '/v1',
    expiry: { 'expires_after.seconds': '1209600', 'expires_after.anchor': 'created_at' },
    awaitsFile: true,
    limits: { ...noLimits, lines: 100_000, bytes: 200_000_000 },
  };
}

const compatibleDialect: BatchDialect = { ...openaiDialect, listed: null };

/** The services whose batch dialect is known; a base URL with `batch: true` speaks OpenAI's. */
export const compatibleDialects = {
  openai: compatibleDialect,
  // console.groq.com/docs/batch: windows from 24 hours to 7 days.
  groq: {
    ...compatibleDialect,
    windows: ['24h', '48h', '72h', '96h', '120h', '144h', '7d'],
    endpoints: ['/v1/chat/completions'],
  },
  // docs.together.ai, batch inference: a purpose and an upload path of its own, no metadata, capital status words, the new
  // batch under `job`, a list without pages; 50,000 requests and 100 MB.
  together: {
    ...compatibleDialect,
    upload: '/files/upload',
    purpose: 'batch-api',
    endpoints: ['/v1/chat/completions'],
    metadata: false,
    awaitsFile: true,
    paging: 'none',
    limits: { ...noLimits, lines: 50_000, bytes: 100_000_000 },
  },
  // docs.mistral.ai/capabilities/batch: jobs with a list of files and one model, lines without method and url, 512 MB a file.
  mistral: {
    ...compatibleDialect,
    batches: '/batch/jobs',
    windows: null,
    window: null,
    create: 'mistral',
    lines: 'bare',
    endpoints: ['/v1/chat/completions', '/v1/embeddings'],
    paging: 'page',
    limits: { ...noLimits, lines: 1_000_000, bytes: 512_000_000 },
  },
  // docs.doubleword.ai: OpenAI's dialect with a faster window beside the usual one.
  doubleword: {
    ...compatibleDialect,
    windows: ['24h', '1h'],
    endpoints: ['/v1/chat/completions', '/v1/embeddings', '/v1/responses'],
  },
  // Another Weir: any window, any size that its operator allows, and a create call that is safe to repeat.
  weir: { ...compatibleDialect, windows: null, idempotent: true, limits: noLimits },
} as const satisfies Record<string, BatchDialect>;

export type CompatibleDialect = keyof typeof compatibleDialects;
