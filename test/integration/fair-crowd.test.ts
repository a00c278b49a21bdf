// Nobody starves beside fifty producers: what ran before each chunk of another is counted, so that no clock is asked.
import { Pool, type PoolOptions } from '@poolmq/client'
import { PoolKeys, RedisLink } from '@poolmq/shared'
import { PoolView } from '@poolmq/worker'
import { expect, inject, test } from 'vitest'
import { WorkerHost } from '../chaos/worker-host.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { until } from '../support/until.js'

const [programs, ofEach, chunks] = [5, 10, 30]
const crowd = programs * ofEach
const [single, small, late] = [100, 200, 300]
const singles = 10
/** The chunks of the small share are worth so many of another's. */
const weight = 0.2

test('fifty producers, one with single applies, one with a small share, and ten that come in the middle', async () => {
  using scratch = new Scratch()
  const [name, connection] = [uniqueName('fair'), inject('redisUrl')]
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const [middle, on] = [scratch.latch('middle'), scratch.latch('on')]
  const log = scratch.log('log')
  const link = await RedisLink.open(connection)
  const view = new PoolView(link, new PoolKeys(name))
  const pools: Pool[] = []
  const join = (more: PoolOptions = {}) => {
    const pool = new Pool({ name, connection, ...more })
    pools.push(pool)
    return pool
  }
  const waits = (count: number) =>
    until(
      `${count} wait`,
      async () => (await view.stats()).waiting,
      (waiting) => waiting === count,
      90_000,
    )
  const noted = (value: number) => ({ log: log.path, go: go.path, value })
  await using _host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, tasks: 'latch-tasks' })
  const crowds: ProgramRun[] = []
  try {
    // One worker process, which is held until all is there: then places are known, and so is the order.
    const all: Promise<unknown>[] = [join().apply(latches.hold, [{ started: started.path, go: go.path, value: 0 }])]
    await started.opened()
    for (let i = 0; i < programs; i++) {
      const facts = [connection, name, i * ofEach, ofEach, chunks, log.path, go.path].map(String)
      crowds.push(new ProgramRun([fixture('many-producers'), ...facts]))
    }
    await waits(crowd * chunks)
    all.push(join({ share: { weight } }).map(latches.noteAndHold, Array(chunks).fill(noted(small)), 1))
    const applying = join()
    for (let i = 0; i < singles; i++) {
      // The one in the middle holds the worker process once more.
      if (i === singles / 2) all.push(applying.apply(latches.hold, [{ started: middle.path, go: on.path, value: 0 }]))
      else all.push(applying.apply(latches.noteAndHold, [noted(single)]))
    }
    const queued = (crowd + 1) * chunks + singles
    await waits(queued)
    go.open()
    await middle.opened()
    const before = log.lines.length
    for (let i = 0; i < 10; i++) all.push(join().apply(latches.noteAndHold, [noted(late)]))
    await waits(queued - before - 1 + 10)
    on.open()
    await Promise.all(all)
    await Promise.all(crowds.map((program) => program.says('ENDED', 60_000)))

    const lines = log.lines.map(Number)
    const places = (of: number) => lines.flatMap((line, place) => (line === of ? [place] : []))
    /** Those who take part in a round: the crowd, who applies, and the first of the small share. */
    const round = crowd + 2
    for (const [turn, place] of places(single).entries()) {
      // The one that held is not among them, and whoever comes in the middle has one turn each.
      expect(place).toBeLessThanOrEqual((turn + (turn < singles / 2 ? 1 : 2)) * round + (turn < singles / 2 ? 0 : 10))
    }
    for (const [turn, place] of places(small).entries()) {
      expect(place).toBeLessThanOrEqual((turn / weight + 1) * round + 10)
    }
    expect(Math.max(...places(late)) - before).toBeLessThanOrEqual(round + 10)
    // Among themselves, and whatever the others have: nobody is more than a turn ahead.
    for (let end = round; end < crowd * chunks; end += round) {
      const counts = new Array<number>(crowd).fill(0)
      for (const line of lines.slice(0, end)) if (line < crowd) counts[line] = (counts[line] ?? 0) + 1
      expect(Math.max(...counts) - Math.min(...counts), `after ${end}`).toBeLessThanOrEqual(1)
    }
  } finally {
    go.open()
    on.open()
    await Promise.all([
      ...crowds.map((program) => program[Symbol.asyncDispose]()),
      ...pools.map((pool) => pool.terminate()),
    ])
    await link.close()
  }
}, 180_000)
