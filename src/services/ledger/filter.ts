import { ApiError } from '../../core/api-error.ts';
import type { Actor } from '../../ports/deps.ts';
import type { LedgerFilter } from '../../ports/store-ledger.ts';
import type { EntryStatus } from '../../protocol/ledger.ts';

/** The filters of a ledger query as clients write them. */
export interface LedgerQuery {
  from?: string | undefined;
  to?: string | undefined;
  batch?: string | undefined;
  provider?: string | undefined;
  model?: string | undefined;
  key?: string | undefined;
  status?: EntryStatus | undefined;
  /** `name:value`, or already apart. */
  tag?: string | { key: string; value: string } | undefined;
  /** Another tenant or `*` for all: administrators only. */
  tenant_id?: string | undefined;
}

const isoPattern = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** The store's filter for a query. Throws 400 for what cannot be read and 403 for another tenant's accounts. */
export function ledgerFilter(actor: Actor, query: LedgerQuery): LedgerFilter {
  return {
    tenantId: tenantOf(actor, query.tenant_id),
    from: readSeconds('from', query.from),
    to: readSeconds('to', query.to),
    batchId: query.batch,
    provider: query.provider,
    model: query.model,
    keyId: query.key,
    status: query.status,
    tag: parseTag(query.tag),
  };
}

function tenantOf(actor: Actor, asked: string | undefined): string | null {
  if (asked === undefined || asked === actor.tenantId) return actor.tenantId;
  if (actor.role !== 'admin') {
    throw new ApiError(403, "Only an admin key may read other tenants' accounts. Leave 'tenant_id' out.", {
      code: 'admin_required',
      param: 'tenant_id',
    });
  }
  return asked === '*' ? null : asked;
}

/** Unix seconds or an ISO date, which is UTC unless it names a zone. Entries have whole seconds, so parts round up. */
export function readSeconds(param: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  const hasZone = !text.includes('T') || /(Z|[+-]\d{2}:\d{2})$/.test(text);
  const milliseconds = isoPattern.test(text) ? Date.parse(hasZone ? text : `${text}Z`) : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw new ApiError(
      400,
      `Invalid '${param}': use unix seconds or a date such as 2026-01-31 or 2026-01-31T12:00:00Z.`,
      {
        code: 'invalid_value',
        param,
      },
    );
  }
  return Math.ceil(milliseconds / 1000);
}

function parseTag(text: LedgerQuery['tag']): LedgerFilter['tag'] {
  if (typeof text !== 'string') return text;
  const at = text.indexOf(':');
  if (at < 1) {
    throw new ApiError(400, "Invalid 'tag': write it as name:value, or use tag[name]=value.", {
      code: 'invalid_value',
      param: 'tag',
    });
  }
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}
