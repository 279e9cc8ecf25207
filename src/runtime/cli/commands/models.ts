import type { ModelObject } from '../../../protocol/route.ts';
import { withApi } from '../api.ts';
import { EXIT } from '../exit.ts';
import { printableJson } from '../printable.ts';
import { layTable } from '../table.ts';
import { print, type Terminal } from '../terminal.ts';

/** `weir models` */
export function models(terminal: Terminal, args: { json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const list = await api.get<{ data: ModelObject[] }>('/v1/models');
    if (args.json) await print(terminal, printableJson(JSON.stringify(list, null, 2)));
    else if (list.data.length === 0) await print(terminal, 'The server has no models. Name providers in its config.');
    else {
      const columns = [
        { header: 'MODEL', least: 20 },
        { header: 'OWNED BY', least: 8 },
      ];
      const rows = list.data.map((model) => [model.id, model.owned_by]);
      const lines = layTable(columns, rows, { width: terminal.out.columns, paint: terminal.out.paint });
      await print(terminal, lines.join('\n'));
    }
    return EXIT.done;
  });
}
