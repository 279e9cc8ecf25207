import type { StatedPrice } from '../core/stated-price.ts';

/** A dated price that an administrator stated; never changed. */
export interface PriceStoredRow {
  id: string;
  price: StatedPrice;
  source: string;
  keyId: string | null;
  createdAt: number;
}

export interface StorePrices {
  /** False when the model has a stated price for this slot and first day already. A row with this id counts as added. */
  add(row: PriceStoredRow): Promise<boolean>;
  /** In the order in which they were stated. */
  list(): Promise<PriceStoredRow[]>;
  /** Withdraws one; false when there is none of this id. */
  delete(id: string): Promise<boolean>;
}
