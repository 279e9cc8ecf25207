import { createReadStream } from 'node:fs';
import type { BatchObject } from '../../../protocol/batch.ts';
import type { LedgerEntryObject } from '../../../protocol/ledger.ts';
import type { OutputLine } from '../../../protocol/result-line.ts';
import type { BatchLedger } from '../account.ts';
import type { Api } from '../api.ts';
import { trouble } from '../exit.ts';
import { openOutput } from '../save-output.ts';
import { parsedLines } from './lines.ts';

const SAMPLES = 3;

export interface Sample {
  question: string;
  line: OutputLine;
}

/** What the outputs say, read as a user would read them. */
export interface Outputs {
  lines: number;
  /** Sum of the lines' own costs in nano-USD. */
  nano: number;
  samples: Sample[];
}

interface Request {
  custom_id: string;
  body: { messages?: { content?: unknown }[]; input?: unknown };
}

/** Reads all outputs beside the input, and makes sure that they are the input's lines in the input's order. */
export async function readOutputs(api: Api, batch: BatchObject, inputPath: string): Promise<Outputs> {
  const requests = parsedLines<Request>(createReadStream(inputPath) as AsyncIterable<Uint8Array>);
  const { chunks } = await openOutput(api, batch.id);
  const outputs: Outputs = { lines: 0, nano: 0, samples: [] };
  for await (const line of parsedLines<OutputLine>(chunks)) {
    const request = (await requests.next()).value as Request | undefined;
    outputs.lines += 1;
    if (request?.custom_id !== line.custom_id) throw trouble(`Output line ${outputs.lines} is not the input's line.`);
    outputs.nano += line.weir.cost_nano_usd ?? 0;
    if (outputs.samples.length < SAMPLES) outputs.samples.push({ question: questionOf(request), line });
  }
  await requests.return(undefined);
  if (outputs.lines !== batch.request_counts.total) throw trouble(`${outputs.lines} output lines are not all.`);
  return outputs;
}

function questionOf(request: Request): string {
  const content = request.body.messages?.at(-1)?.content ?? request.body.input ?? '';
  return typeof content === 'string' ? content : JSON.stringify(content);
}

/** The text of a chat answer, or the message of an error. */
export function answerOf(line: OutputLine): string {
  const body = line.response?.body as { choices?: { message?: { content?: string } }[]; error?: { message?: string } };
  return body?.choices?.[0]?.message?.content ?? body?.error?.message ?? line.error?.message ?? '';
}

/** Attempts that had to be made again, by what went wrong: `429` → 41. */
export async function failedAttempts(api: Api, batch: BatchObject): Promise<Map<string, number>> {
  const path = `/v1/batches/${encodeURIComponent(batch.id)}/ledger?entries=true&format=jsonl`;
  const response = await api.stream(path);
  const counts = new Map<string, number>();
  if (response.body === null) return counts;
  for await (const entry of parsedLines<LedgerEntryObject>(response.body as AsyncIterable<Uint8Array>)) {
    if (entry.status === 'succeeded') continue;
    const reason = String(entry.status_code ?? entry.error_code ?? entry.status);
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}

/** Why the accounts do not agree; null when they do, to the nano-dollar. */
export function imbalance(batch: BatchObject, ledger: BatchLedger, outputs: Outputs): string | null {
  const sums = [batch.cost.amount_nano_usd, ledger.total.amount_nano_usd, outputs.nano];
  if (new Set(sums).size === 1) return null;
  const [cost, entries, lines] = sums;
  return `The accounts do not agree: batch ${cost}, ledger ${entries}, output lines ${lines} nano-USD.`;
}
