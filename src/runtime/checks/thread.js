/**
 * The thread in which large uploads are checked: several at once, each by its number. Started by thread-checks.ts, which
 * holds the types of what goes between them. Plain JavaScript, so that the compile cache is there before the first
 * TypeScript file is read.
 */
import * as nodeModule from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

if (workerData.compileCache !== undefined) nodeModule.enableCompileCache?.(workerData.compileCache);
const { LineCheck } = await import('../../services/files/line-check.ts');

const checks = new Map();

function perform({ check: number, do: action, ...options }) {
  if (action === 'open') checks.set(number, new LineCheck(options.settings, options.idKey));
  if (action === 'close') checks.delete(number);
  const check = checks.get(number);
  if (check === undefined) return null;
  if (action === 'take') return check.take(options.memory.subarray(0, options.length));
  return action === 'end' ? check.end() : null;
}

/** An answer as data: an error's class does not survive the way to another thread. */
function toData(answer) {
  if (answer === null || answer.refusal === null) return answer;
  const { message, code, param } = answer.refusal;
  return { ...answer, refusal: { message, code, param } };
}

parentPort.on('message', (request) => {
  const { check } = request;
  try {
    const answer = perform(request);
    if (request.do === 'open' || request.do === 'close') return;
    const blocks = [...(answer?.plan ?? []), ...(answer?.ids ?? [])];
    parentPort.postMessage(
      { check, answer: toData(answer) },
      blocks.map((block) => block.buffer),
    );
  } catch (error) {
    parentPort.postMessage({ check, error: String(error) });
  }
});
