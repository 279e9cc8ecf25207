import type { LedgerEntryRow } from '../../ports/store-ledger.ts';

/** In which the entries of calls mostly differ from one another. */
type Own =
  | 'id'
  | 'customId'
  | 'usage'
  | 'rawUsage'
  | 'inputTokens'
  | 'cachedInputTokens'
  | 'outputTokens'
  | 'amountNano'
  | 'listAmountNano'
  | 'latencyMs';

/** What needs no escape in JSON, as ids mostly do not. */
const PLAIN = /^[\w.-]*$/;

/**
 * Entries as JSON, which JSON.parse makes the same entries of. What an entry shares with the one before it is not written
 * anew: that is most of it.
 */
export class EntryTexts {
  private last: LedgerEntryRow | null = null;
  /** What the last one said in the members that it shares, with a brace at its end. */
  private shared = '';

  /** A list of them. */
  listOf(entries: readonly LedgerEntryRow[]): string {
    let text = '[';
    for (const entry of entries) text += text.length === 1 ? this.textOf(entry) : `,${this.textOf(entry)}`;
    return `${text}]`;
  }

  private textOf(entry: LedgerEntryRow): string {
    if (this.last === null || !isAlike(this.last, entry)) {
      this.shared = JSON.stringify(sharedOf(entry)).slice(1);
      this.last = entry;
    }
    const { id, customId, usage, rawUsage } = entry;
    const named = id === undefined ? '' : `"id":${quoted(id)},`;
    const asked = `"customId":${customId === null ? 'null' : quoted(customId)},`;
    const used = `"usage":${JSON.stringify(usage)},"rawUsage":${JSON.stringify(rawUsage)},`;
    const tokens = `"inputTokens":${numberText(entry.inputTokens)},"cachedInputTokens":${numberText(entry.cachedInputTokens)},"outputTokens":${numberText(entry.outputTokens)},`;
    const amounts = `"amountNano":${numberText(entry.amountNano)},"listAmountNano":${numberText(entry.listAmountNano)},`;
    return `{${named}${asked}${used}${tokens}${amounts}"latencyMs":${numberText(entry.latencyMs)},${this.shared}`;
  }
}

function sharedOf(entry: LedgerEntryRow): Omit<LedgerEntryRow, Own> {
  const { id, customId, usage, rawUsage, inputTokens, cachedInputTokens, outputTokens, ...rest } = entry;
  const { amountNano, listAmountNano, latencyMs, ...shared } = rest;
  return shared;
}

/** Whether two entries share all that they may share. Named one by one: to go by a list of names takes as long as to write them. */
function isAlike(left: LedgerEntryRow, right: LedgerEntryRow): boolean {
  return (
    left.createdAt === right.createdAt &&
    left.tenantId === right.tenantId &&
    left.keyId === right.keyId &&
    left.batchId === right.batchId &&
    left.line === right.line &&
    left.attempt === right.attempt &&
    left.mode === right.mode &&
    left.provider === right.provider &&
    left.target === right.target &&
    left.model === right.model &&
    left.servedModel === right.servedModel &&
    left.status === right.status &&
    left.final === right.final &&
    left.statusCode === right.statusCode &&
    left.errorCode === right.errorCode &&
    left.rates === right.rates &&
    left.priceVersion === right.priceVersion &&
    left.estimated === right.estimated &&
    left.unpricedReason === right.unpricedReason &&
    left.tags === right.tags &&
    left.route === right.route &&
    left.shardId === right.shardId &&
    left.ranAt === right.ranAt
  );
}

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** As JSON.stringify writes it. */
function numberText(value: number | null): string {
  return Number.isFinite(value) ? String(value) : 'null';
}
