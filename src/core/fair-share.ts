/**
 * Deficit round robin over a tree: tenants share among each other, the batches of a tenant among each other, and so on.
 * Whoever has its turn gets a quantum of tokens, by its weight, and sends while what it has pays for its next line. So
 * over time each sends tokens in proportion to its weight, however large its lines are and however many it has, and a
 * large line waits until it is paid for without holding the others up. Who has nothing to send saves nothing up.
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
  /** Whose turn it is among the children, and whether that one has had its quantum. */
  turn: number;
  paid: boolean;
}

/** What an item would send next. */
interface Offer<T> {
  leaf: Node<T>;
  item: T;
  cost: number;
}

export class FairShare<T> {
  /** Tokens that an item's next line costs; null when it has none to send now. */
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
    if (offer === null) return undefined;
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
    const ready: { child: Node<T>; weight: number }[] = [];
    let fewest = Number.POSITIVE_INFINITY;
    for (let count = at.children.length; count > 0; count--) {
      const child = at.children[at.turn]!;
      const offer = this.offerOf(child);
      if (offer === null) {
        child.deficit = 0;
      } else {
        const weight = Math.max(Number.MIN_VALUE, child.weight());
        if (!at.paid) child.deficit += QUANTUM_TOKENS * weight;
        at.paid = true;
        if (child.deficit >= offer.cost) return offer;
        ready.push({ child, weight });
        fewest = Math.min(fewest, Math.ceil((offer.cost - child.deficit) / (QUANTUM_TOKENS * weight)));
      }
      at.turn = (at.turn + 1) % at.children.length;
      at.paid = false;
    }
    for (const { child, weight } of ready) child.deficit += (fewest - 1) * QUANTUM_TOKENS * weight;
    return null;
  }
}

function node<T>(parent: Node<T> | null, { key, weight = () => 1 }: ShareStep): Node<T> {
  return { key, weight, parent, children: [], item: undefined, deficit: 0, turn: 0, paid: false };
}

function leave<T>(parent: Node<T>, child: Node<T>): void {
  const index = parent.children.indexOf(child);
  parent.children.splice(index, 1);
  if (index < parent.turn) parent.turn -= 1;
  else if (index === parent.turn) parent.paid = false;
  if (parent.turn >= parent.children.length) parent.turn = 0;
}
