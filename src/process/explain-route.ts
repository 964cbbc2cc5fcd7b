/** `explain`: asks the router, as a session would, without running anything. */
import type { ExplainRequest } from '../admin/context.ts'
import type { ExplainRow } from '../admin/explain.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Config } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Topology } from '../topology/topology.ts'

export function explainRoute(
  _request: ExplainRequest,
  _config: Config,
  _topology: Topology,
  _catalogs: readonly Catalog[],
): Promise<readonly ExplainRow[]> {
  return Promise.reject(new ShardwayError('not_yet', '0A000', 'explain is not there yet'))
}
