import type { Deps } from '../../ports/deps.ts';
import type { LeftoverJournal } from '../../ports/journal.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';

const ENTRIES_AT_ONCE = 200;

/** Takes the entries that killed processes left in their journals into the ledger, each once. Answers how many. */
export async function recoverJournals(deps: Pick<Deps, 'journals' | 'store' | 'log'>): Promise<number> {
  let recovered = 0;
  for (const journal of (await deps.journals?.leftovers()) ?? []) {
    recovered += await recover(deps, journal);
    await journal.remove();
    await deps.store.ledger.forgetJournal(journal.id);
  }
  if (recovered > 0)
    deps.log.info({ entries: recovered }, 'entries were taken over from the journal of a killed process');
  return recovered;
}

async function recover({ store }: Pick<Deps, 'store'>, journal: LeftoverJournal): Promise<number> {
  const done = await store.ledger.journalPosition(journal.id);
  let position = 0;
  let recovered = 0;
  let entries: LedgerEntryRow[] = [];
  const write = async (): Promise<void> => {
    if (entries.length > 0) await store.ledger.appendCalls(entries, { id: journal.id, position });
    recovered += entries.length;
    entries = [];
  };
  for await (const line of journal.lines()) {
    position += 1;
    if (position <= done) continue;
    entries.push(...(JSON.parse(line) as LedgerEntryRow[]));
    if (entries.length >= ENTRIES_AT_ONCE) await write();
  }
  await write();
  return recovered;
}
