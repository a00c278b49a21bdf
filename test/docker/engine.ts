/** Whether the Docker tests can run here, and if so the project's image. */
import { fileURLToPath } from 'node:url'
import type { getContainerRuntimeClient } from 'testcontainers'

type RuntimeClient = Awaited<ReturnType<typeof getContainerRuntimeClient>>

export const redisImage = process.env.REDIS_IMAGE || 'redis:8-alpine'
const nodeImage = process.env.NODE_IMAGE || 'node:24-bookworm-slim'
/** It stays: a second run builds only what has changed. */
const image = 'poolmq-docker-test:latest'

/** Every test ends what it starts; the image of the reaper that would do so too need not be there. */
process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'

/** The engine's client, or what is missing. Nothing is pulled: that is for whoever runs the tests to decide. */
export async function findEngine(): Promise<{ client?: RuntimeClient; missing?: string }> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  let client: RuntimeClient
  try {
    client = await getContainerRuntimeClient()
  } catch {
    return { missing: 'no Docker engine answers' }
  }
  for (const name of [redisImage, nodeImage]) {
    if (!(await isThere(client, name))) return { missing: `the engine has no image ${name}` }
  }
  return { client }
}

/** Builds the image that the Dockerfile describes; returns its name. */
export async function buildImage(): Promise<string> {
  const { GenericContainer } = await import('testcontainers')
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const building = GenericContainer.fromDockerfile(root).withBuildArgs({ NODE_IMAGE: nodeImage })
  await building.build(image, { deleteOnExit: false })
  return image
}

async function isThere(client: RuntimeClient, name: string): Promise<boolean> {
  try {
    await client.container.dockerode.getImage(name).inspect()
    return true
  } catch {
    return false
  }
}
