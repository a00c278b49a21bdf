/** Where Redis is, as text for a message between processes on this host. */
import { deserialize, serialize } from 'node:v8'
import type { ConnectionDescriptor } from '@poolmq/shared'

export function packDescriptor(descriptor: ConnectionDescriptor): string {
  return serialize(descriptor).toString('base64')
}

export function unpackDescriptor(packed: string): ConnectionDescriptor {
  return deserialize(Buffer.from(packed, 'base64')) as ConnectionDescriptor
}
