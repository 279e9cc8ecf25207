import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type LiveOptions, startOpenAICompatibleServer } from './openai-compatible.ts';

// Runs one simulated server as a process: `node main.ts --port 8000 --options '{"latency_ms":20}'`.
// Prints one JSON line with its address when it is ready; ends on SIGTERM, on SIGINT, and when a piped stdin closes.
const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, options: { type: 'string', default: '{}' } },
});

try {
  // The server checks the options itself and names what is wrong.
  const options = parseOptions(values.options);
  const server = await startOpenAICompatibleServer({ ...options, port: Number(values.port) });
  const stop = () => {
    void server.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (isPiped()) process.stdin.once('end', stop).once('error', stop).resume();
  process.stdout.write(
    `${JSON.stringify({ url: server.url, base_url: server.baseUrl, port: server.port, pid: process.pid })}\n`,
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function parseOptions(json: string): LiveOptions {
  try {
    return JSON.parse(json) as LiveOptions;
  } catch {
    throw new Error('--options must be a JSON object, for example {"latency_ms":20}');
  }
}

/** Only a pipe says by closing that the parent is gone; a terminal or /dev/null says nothing. */
function isPiped(): boolean {
  try {
    const stdin = fstatSync(0);
    return stdin.isFIFO() || stdin.isSocket();
  } catch {
    return false;
  }
}
