/**
 * The thread of one connection to an embedded database: takes requests one after the other and answers each. Started by
 * thread-client.ts, which holds the types of what goes between them. Plain JavaScript, because reading TypeScript costs
 * each thread 16 MB that it needs for nothing else.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Libsql from 'libsql';
import { giveBackAtRest } from './give-back-at-rest.js';

/** Statements kept ready, by their text: preparing the large ones costs as much as running them. */
const KEPT_MAX = 200;

/** One synchronous connection. Blocks its thread. */
class Connection {
  #options;
  #database;
  /** Text → the statement, with the names of its columns; null for one that answers with no rows. */
  #kept = new Map();

  constructor(options) {
    this.#options = options;
    this.#database = this.#open();
  }

  /** Runs a single statement. */
  execute({ sql, args }) {
    const { statement, columns } = this.#kept.get(sql) ?? this.#prepare(sql);
    try {
      if (columns === null) return { columns: [], values: [], rowsAffected: statement.run(args).changes };
      return { columns, values: statement.all(args).map((row) => row.map(toValue)), rowsAffected: 0 };
    } catch (error) {
      // A statement that failed may be left half-way.
      this.#kept.delete(sql);
      throw error;
    }
  }

  /** Runs each write's statements all or none, and makes the writes durable together: one wait for the disk. */
  executeWrites(writes) {
    this.#database.exec('begin immediate');
    try {
      const outcomes = writes.map((inputs) => (writes.length === 1 ? this.#executeAll(inputs) : this.#try(inputs)));
      this.#database.exec('commit');
      return outcomes;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #executeAll(inputs) {
    return inputs.map((input) => this.execute(input));
  }

  /** One write among others: what it fails of is its own. */
  #try(inputs) {
    this.#database.exec('savepoint own_write');
    try {
      const results = this.#executeAll(inputs);
      this.#database.exec('release own_write');
      return results;
    } catch (error) {
      // A full disk, for one, ends them all.
      if (!this.#database.inTransaction) throw error;
      this.#database.exec('rollback to own_write');
      this.#database.exec('release own_write');
      return { error: describe(error) };
    }
  }

  reopen() {
    this.close();
    this.#database = this.#open();
  }

  close() {
    this.#kept.clear();
    if (this.#database.open) this.#database.close();
  }

  #open() {
    const { path, pragmas, busyTimeoutMs } = this.#options;
    const database = new Libsql(path, { timeout: busyTimeoutMs });
    try {
      for (const pragma of pragmas) database.exec(`pragma ${pragma}`);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  #prepare(sql) {
    const statement = this.#database.prepare(sql).safeIntegers(true);
    const columns = statement.reader ? statement.columns().map(({ name }) => name) : null;
    if (columns !== null) statement.raw(true);
    const kept = { statement, columns };
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(sql, kept);
    return kept;
  }

  #rollBack() {
    try {
      if (this.#database.inTransaction) this.#database.exec('rollback');
    } catch {
      // A connection that cannot roll back is of no use: nothing may be committed on it by chance.
      this.reopen();
    }
  }
}

function toValue(value) {
  if (value instanceof Uint8Array) return new Uint8Array(value).buffer;
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError('the database holds an integer beyond 2^53 − 1');
  return number;
}

let connection = null;

/** A read by itself: what it fails of is its own. */
function read(input) {
  try {
    return connection.execute(input);
  } catch (error) {
    return { error: describe(error) };
  }
}

function perform(action, inputs) {
  if (action === 'close') {
    connection?.close();
    connection = null;
    return [];
  }
  connection ??= new Connection(workerData);
  if (action === 'reads') return inputs.map(read);
  if (action === 'writes') return connection.executeWrites(inputs);
  if (action === 'reopen') connection.reopen();
  return [];
}

/** An error as data: its class does not survive the way to another thread. */
function describe(error) {
  if (!(error instanceof Error)) return { message: String(error) };
  return typeof error.code === 'string' ? { message: error.message, code: error.code } : { message: error.message };
}

/** Whose orders are taken: the thread that started this one, and those that it let in. Each with the texts that it has told. */
const ports = new Map();

/** The order, with the text of each of its statements. */
function withTexts(port, order) {
  const texts = ports.get(port);
  const fill = (input) => {
    if (input.sql === undefined) input.sql = texts[input.text];
    else texts[input.text] = input.sql;
  };
  if (order.do === 'reads') order.inputs.forEach(fill);
  if (order.do === 'writes') for (const write of order.inputs) write.forEach(fill);
  return { port, order };
}

/** The orders that have come meanwhile, each port's in its order. */
function waiting() {
  const found = [];
  for (const port of ports.keys()) {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      found.push(withTexts(port, next.message));
    }
  }
  return found;
}

function answer({ port, order: { id } }, work) {
  try {
    port.postMessage({ id, results: work() });
  } catch (error) {
    port.postMessage({ id, error: describe(error) });
  }
}

/** Writes that came from several threads wait for the disk together. What they fail of as a whole, each is told. */
function answerWrites(asks) {
  let outcomes = null;
  let failure = null;
  try {
    outcomes = perform(
      'writes',
      asks.flatMap(({ order }) => order.inputs),
    );
  } catch (error) {
    failure = error;
  }
  let first = 0;
  for (const ask of asks) {
    const from = first;
    first += ask.order.inputs.length;
    answer(ask, () => {
      if (failure !== null) throw failure;
      return outcomes.slice(from, first);
    });
  }
}

function take(asks) {
  while (asks.length > 0) {
    const other = asks.findIndex(({ order }) => order.do !== 'writes');
    if (other === 0) {
      const ask = asks.shift();
      answer(ask, () =>
        ask.order.do === 'serve' ? serve(ask.order.inputs[0]) : perform(ask.order.do, ask.order.inputs),
      );
    } else answerWrites(asks.splice(0, other < 0 ? asks.length : other));
  }
}

function serve(port) {
  ports.set(port, []);
  port.on('message', (order) => take([withTexts(port, order), ...(ports.size > 1 ? waiting() : [])]));
  port.on('close', () => ports.delete(port));
  return [];
}

serve(parentPort);
giveBackAtRest();
