import { asc, eq } from '#drizzle';
import { slotOf } from '../core/stated-price.ts';
import type { PriceStoredRow, StorePrices } from '../ports/store-prices.ts';
import type { Database } from './client.ts';
import { prices } from './schema/prices.ts';

const { id, price, source, keyId, createdAt } = prices;

export class LibsqlPrices implements StorePrices {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async add(row: PriceStoredRow): Promise<boolean> {
    const { provider, model, from } = row.price;
    const [added] = await this.#db.orm
      .insert(prices)
      .values({ ...row, provider, model: model.toLowerCase(), slot: slotOf(row.price), fromDay: from })
      .onConflictDoNothing()
      .returning({ id });
    if (added !== undefined) return true;
    const known = await this.#db.orm.select({ id }).from(prices).where(eq(id, row.id)).get();
    return known !== undefined;
  }

  list(): Promise<PriceStoredRow[]> {
    return this.#db.orm.select({ id, price, source, keyId, createdAt }).from(prices).orderBy(asc(prices.seq));
  }

  async delete(wanted: string): Promise<boolean> {
    const deleted = await this.#db.orm.delete(prices).where(eq(id, wanted)).returning({ id });
    return deleted.length > 0;
  }
}
