// A throw-away Redis in a container, for machines that have a Docker engine and no Redis.
const image = process.env.REDIS_IMAGE || 'redis:8-alpine'
const command = ['redis-server', '--protected-mode', 'no', '--save', '', '--maxmemory-policy', 'noeviction']

/** Resolves with `{ image, url, stop }`, or with `{ reason }` where there is no engine or it cannot get the image. */
export async function startRedisContainer() {
  // Loaded here and not above: it takes a second, and is there only once the dependencies are installed.
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers')
  try {
    await getContainerRuntimeClient()
  } catch {
    return { reason: 'no engine answers' }
  }
  try {
    const container = await new GenericContainer(image)
      .withCommand(command)
      .withExposedPorts(6379)
      .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
      .start()
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
    return { image, url, stop: () => container.stop() }
  } catch (error) {
    return { reason: `${image} did not start: ${error.message}` }
  }
}
