/**
 * Deficit round robin over a tree: tenants share among each other, the batches of a tenant among each other, and so on.
 * Whoever has its turn gets a quantum of tokens, by its weight, and sends while what it has pays for its next line. So
 * over time each sends tokens in proportion to its weight, however large its lines are and however many it has, and a
 * large line waits until it is paid for without holding the others up. Who has nothing to send saves nothing up; who has
 * and may not, for a limit that others may have in common, keeps what it has: else a large line would never be paid for
 * where small ones use up such a limit as it comes back.
 */

/** Tokens of a turn at weight 1: some ordinary lines. */
export const QUANTUM_TOKENS = 1_024;

/** A step of the way from the root to an item; `weight` is asked for at each turn. */
export interface ShareStep {
  key: string;
  weight?: () => number;
}

interface Node<T> {
  readonly key: string;
  readonly weight: () => number;
  readonly parent: Node<T> | null;
  readonly children: Node<T>[];
  item: T | undefined;
  /** Tokens that it may still send. */
  deficit: number;
  /** Whether it has had the quantum of its turn. */
  paid: boolean;
  /** Whose turn it is among the children. */
  turn: number;
  /** Those whose turn it was while they might send nothing: they have it as soon as they may. */
  held: Node<T>[];
  /** Whether it is among the held ones of its parent: of a thousand that are, each is found at once. */
  isHeld: boolean;
}

/** What an item would send next. */
interface Offer<T> {
  leaf: Node<T>;
  item: T;
  cost: number;
}

export class FairShare<T> {
  /** Tokens that an item's next line costs; null when it has none to send now, infinite while it may send none. */
  private readonly costOf: (item: T) => number | null;
  private readonly root: Node<T> = node<T>(null, { key: '' });
  private readonly leaves = new Map<T, Node<T>>();

  constructor(costOf: (item: T) => number | null) {
    this.costOf = costOf;
  }

  /** Adds an item at the end of a path; parts of the path that are there already are shared. */
  add(path: readonly ShareStep[], item: T): void {
    let at = this.root;
    for (const step of path) {
      const known = at.children.find((child) => child.key === step.key);
      at = known ?? at.children[at.children.push(node(at, step)) - 1]!;
    }
    at.item = item;
    this.leaves.set(item, at);
  }

  remove(item: T): void {
    let at: Node<T> | null | undefined = this.leaves.get(item);
    if (!at) return;
    this.leaves.delete(item);
    at.item = undefined;
    for (; at?.parent && at.children.length === 0 && at.item === undefined; at = at.parent) leave(at.parent, at);
  }

  /** The item whose line is to be sent now, which is charged for it; undefined when none has one. */
  next(): T | undefined {
    const offer = this.offerOf(this.root);
    if (offer === null || !isFree(offer)) return undefined;
    for (let at: Node<T> | null = offer.leaf; at !== null; at = at.parent) {
      // Alone among its siblings it was not asked to pay.
      at.deficit = Math.max(0, at.deficit - offer.cost);
    }
    return offer.item;
  }

  private offerOf(at: Node<T>): Offer<T> | null {
    if (at.item !== undefined) {
      const cost = this.costOf(at.item);
      return cost === null ? null : { leaf: at, item: at.item, cost };
    }
    const only = at.children[0];
    if (at.children.length < 2) return only === undefined ? null : this.offerOf(only);
    // The second round finds somebody at the latest: each has what the least needy one lacks.
    return this.round(at) ?? this.round(at);
  }

  /** One turn for each child, until one can pay. When none can, all are given as many quanta as the first one needs. */
  private round(at: Node<T>): Offer<T> | null {
    const needy: Needy<T> = { children: [], fewest: Number.POSITIVE_INFINITY };
    let heldOffer: Offer<T> | null = null;
    for (const child of [...at.held]) {
      const offer = this.turnOf(child, needy);
      if (offer !== null && isFree(offer)) return offer;
      heldOffer ??= offer;
      if (offer === null) letGo(at, child);
    }
    for (let count = at.children.length; count > 0; count--) {
      const child = at.children[at.turn]!;
      if (!child.isHeld) {
        const offer = this.turnOf(child, needy);
        if (offer !== null && isFree(offer)) return offer;
        heldOffer ??= offer;
        if (offer !== null) at.held.push(child);
        child.isHeld = offer !== null;
      }
      at.turn = (at.turn + 1) % at.children.length;
    }
    for (const { child, weight } of needy.children) child.deficit += (needy.fewest - 1) * QUANTUM_TOKENS * weight;
    return needy.children.length === 0 ? heldOffer : null;
  }

  /** What a child offers in its turn, where it can pay for that, or may not send it now; else its turn is over. */
  private turnOf(child: Node<T>, needy: Needy<T>): Offer<T> | null {
    const offer = this.offerOf(child);
    if (offer !== null && !isFree(offer)) return offer;
    if (offer !== null) {
      const weight = Math.max(Number.MIN_VALUE, child.weight());
      if (!child.paid) child.deficit += QUANTUM_TOKENS * weight;
      child.paid = true;
      if (child.deficit >= offer.cost) return offer;
      needy.children.push({ child, weight });
      needy.fewest = Math.min(needy.fewest, Math.ceil((offer.cost - child.deficit) / (QUANTUM_TOKENS * weight)));
    } else child.deficit = 0;
    child.paid = false;
    return null;
  }
}

/** Children that could not pay, and the quanta that the least needy one lacks. */
interface Needy<T> {
  children: { child: Node<T>; weight: number }[];
  fewest: number;
}

/** Whether it may be sent at all. */
function isFree({ cost }: Offer<unknown>): boolean {
  return cost < Number.POSITIVE_INFINITY;
}

function node<T>(parent: Node<T> | null, { key, weight = () => 1 }: ShareStep): Node<T> {
  return {
    key,
    weight,
    parent,
    children: [],
    item: undefined,
    deficit: 0,
    paid: false,
    turn: 0,
    held: [],
    isHeld: false,
  };
}

function letGo<T>(parent: Node<T>, child: Node<T>): void {
  if (child.isHeld) parent.held.splice(parent.held.indexOf(child), 1);
  child.isHeld = false;
}

function leave<T>(parent: Node<T>, child: Node<T>): void {
  const index = parent.children.indexOf(child);
  parent.children.splice(index, 1);
  letGo(parent, child);
  if (index < parent.turn) parent.turn -= 1;
  if (parent.turn >= parent.children.length) parent.turn = 0;
}
