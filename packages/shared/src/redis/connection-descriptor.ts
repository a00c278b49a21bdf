import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis'

/** From this, another process opens the same target. It has no functions, so it can be cloned and sent. */
export type ConnectionDescriptor =
  | { readonly kind: 'server'; readonly options: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: readonly ClusterNode[]; readonly options: ClusterOptions }
