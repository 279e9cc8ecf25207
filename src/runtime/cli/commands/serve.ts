import { isNoSpace } from '../../../core/no-space.ts';
import { NewerDatabase } from '../../../store/newer-database.ts';
import { giveBackMemory } from '../../give-back-memory.ts';
import { importServer } from '../../import-server.ts';
import { growWhileBusy } from '../../young-generation.ts';
import { EXIT, trouble } from '../exit.ts';
import { note, print, type Terminal } from '../terminal.ts';

/** `weir serve`: runs until it is told to stop. A second Ctrl-C (or TERM) does not wait for what is in flight. */
export async function serve(terminal: Terminal): Promise<number> {
  let interrupts = 0;
  const stopping = Promise.withResolvers<void>();
  const restore = terminal.onInterrupt(() => {
    interrupts += 1;
    if (interrupts > 1) process.exit(EXIT.interrupted);
    stopping.resolve();
  });
  try {
    const { startServer } = await importServer();
    const server = await startServer({ env: terminal.environment, onRead: giveBackMemory }).catch((error: unknown) => {
      throw explained(error);
    });
    const growNoMore = growWhileBusy(server.isBusy);
    await print(terminal, `Weir is ready at ${server.url}`);
    if (server.adminKey !== null) {
      await print(terminal, `Admin key, shown this once: ${server.adminKey}`);
      await print(terminal, 'Keep it, and set WEIR_API_KEY to it to use the command line.');
    }
    await stopping.promise;
    await note(terminal, 'Stopping; what is in flight is finished first. Ctrl-C again stops at once.');
    await server.stop();
    growNoMore();
    return EXIT.done;
  } finally {
    restore();
  }
}

function explained(error: unknown): unknown {
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code === 'EADDRINUSE')
    return trouble(`${address}:${port} is taken. Set WEIR_PORT to another port, or stop what runs there.`);
  if (code === 'EACCES' && port !== undefined)
    return trouble(`Port ${port} is not allowed. Set WEIR_PORT to one above 1023.`);
  if (error instanceof NewerDatabase) return trouble(error.message, { code: 'newer_database' });
  if (isNoSpace(error))
    return trouble(
      'The disk of the database is full. Make room there, or set WEIR_DATA_DIR to a folder on another disk.',
    );
  return error;
}
