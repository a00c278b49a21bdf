// Worker hosts and producers in containers: what is killed or cut off in the middle of a map costs time, and nothing else.
import type { StartedTestContainer } from 'testcontainers'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildImage, findEngine } from './engine.js'
import { Fleet } from './fleet.js'

const { client: engine, missing } = await findEngine()

/** Milliseconds for one test: containers start, a map runs, and a dead connection takes 20 s to be found out. */
const limit = 180_000

describe('containers', () => {
  let image: string
  beforeAll(async () => {
    image = await buildImage()
  }, 600_000)

  const docker = () => {
    if (engine === undefined) throw new Error(missing)
    return engine.container.dockerode
  }

  /** The exit code of a container, and all that it has said. */
  async function end(container: StartedTestContainer): Promise<{ code: number; output: string }> {
    const one = docker().getContainer(container.getId())
    const { StatusCode: code } = (await one.wait()) as { StatusCode: number }
    return { code, output: (await one.logs({ stdout: true, stderr: true })).toString() }
  }

  /** The names by which containers know themselves. */
  const host = (container: StartedTestContainer) => container.getId().slice(0, 12)

  test(
    'a worker container is killed in the middle of a map, and another is started',
    async () => {
      await using fleet = await Fleet.start(image)
      const [staying, lost] = await Promise.all([fleet.worker(), fleet.worker()])
      const producer = await fleet.producer(12)
      await docker().getContainer(lost.getId()).kill()
      const late = await fleet.worker()
      const { code, output } = await end(producer)
      expect(output).toContain('Results equal the sequential run: yes')
      expect(code).toBe(0)
      // Each of the three has done a part.
      const row = /worker hosts\s*│([^│]*)/.exec(output)?.[1] ?? ''
      expect(row).toContain('3:')
      for (const worker of [staying, lost, late]) expect(row).toContain(host(worker))
    },
    limit,
  )

  test(
    'a worker is cut off from the network in the middle of a map, and comes back',
    async () => {
      await using fleet = await Fleet.start(image)
      const [staying, cut] = await Promise.all([fleet.worker(), fleet.worker()])
      const network = docker().getNetwork(fleet.networkId)
      const first = await fleet.producer(5)
      await network.disconnect({ Container: cut.getId(), Force: true })
      // What it had in hand is another's by now, or this would not end.
      expect(await end(first)).toMatchObject({ code: 0, output: expect.stringContaining('sequential run: yes') })
      await network.connect({ Container: cut.getId() })
      await docker().getContainer(staying.getId()).kill()
      // Only the one that was cut off is left to do this.
      const second = await fleet.producer(1)
      const { code, output } = await end(second)
      expect(code).toBe(0)
      expect(/worker hosts\s*│([^│]*)/.exec(output)?.[1]).toContain(host(cut))
    },
    limit,
  )

  test(
    'a producer is cut off in the middle of its map, and comes back',
    async () => {
      await using fleet = await Fleet.start(image)
      await fleet.worker()
      const producer = await fleet.producer(5)
      const network = docker().getNetwork(fleet.networkId)
      await network.disconnect({ Container: producer.getId(), Force: true })
      await network.connect({ Container: producer.getId() })
      expect(await end(producer)).toMatchObject({ code: 0, output: expect.stringContaining('sequential run: yes') })
    },
    limit,
  )
})
