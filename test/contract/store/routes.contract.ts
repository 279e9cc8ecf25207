import { describe, expect, it } from 'vitest';
import type { RouteRow } from '../../../src/ports/store-routes.ts';
import { NOW, type Subject } from './subject.ts';

function routeRow(name: string, change: Partial<RouteRow> = {}): RouteRow {
  return {
    id: `route_${name}`,
    tenantId: 'tenant-a',
    name,
    config: { targets: [{ provider: 'pool', weight: 0.5 }] },
    createdAt: NOW,
    updatedAt: NOW,
    ...change,
  };
}

export function routesContract(subject: Subject): void {
  describe('routes', () => {
    it('replaces by name, keeping the first id and creation time', async () => {
      const { routes } = subject.store;
      expect(await routes.put(routeRow('mini'))).toEqual(routeRow('mini'));
      const change = { config: { targets: [] }, updatedAt: NOW + 9 };
      const replaced = await routes.put(routeRow('mini', { id: 'route_new', createdAt: NOW + 9, ...change }));
      expect(replaced).toEqual(routeRow('mini', change));
      expect(await routes.list('tenant-a')).toEqual([replaced]);
    });

    it('keeps the names of tenants apart', async () => {
      const { routes } = subject.store;
      await routes.put(routeRow('mini'));
      await routes.put(routeRow('mini', { id: 'route_b', tenantId: 'tenant-b' }));
      expect((await routes.get('tenant-b', 'mini'))?.id).toBe('route_b');
      expect(await routes.get('tenant-c', 'mini')).toBeNull();
      expect(await routes.delete('tenant-c', 'mini')).toBe(false);
      expect(await routes.delete('tenant-b', 'mini')).toBe(true);
      expect(await routes.list('tenant-b')).toEqual([]);
      expect(await routes.get('tenant-a', 'mini')).toEqual(routeRow('mini'));
    });
  });
}
