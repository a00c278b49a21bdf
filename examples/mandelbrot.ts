// A job of pure computing with a result to look at: the Mandelbrot set, tile by tile, by a pool. One worker process is
// killed in mid-run, and the picture still equals the one that this process draws alone, byte by byte.
//
//   npm run demo                                 worker processes on this machine
//   npm run demo -- --width 3200 --processes 8
//   POOL_NAME=picture REDIS_URL=… npm run demo   whatever workers serve the pool `picture`, on any host:
//                                                npx @poolmq/worker worker --pool picture mandelbrot-tasks.js
import { writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from '@poolmq/client'
import { type Doer, type DrawnTile, mandelbrot, type Tile, type View } from './mandelbrot-tasks.js'
import { Picture } from './picture.js'
import { pictureReport } from './picture-report.js'
import { ProgressMeter } from './progress-meter.js'
import { tally } from './tally.js'

const usage =
  'usage: mandelbrot [--processes N] [--width N] [--steps N] [--tile N] [--out FILE.png] [--spare]\n' +
  '  --steps N   how long a point is followed: more is more work\n' +
  '  --spare     kill no process'

const name = process.env.POOL_NAME
const options = readOptions()
const { view } = options
const tiles = [...tilesOf(view, options.tile)]

const where = name === undefined ? `${options.processes} processes` : `the workers of the pool ${name}`
console.error(`Drawing ${view.width} × ${view.height} pixels in ${tiles.length} tiles on ${where}`)
const { drawn, milliseconds, victim } = await drawInPool()
console.error('The same once more in this process alone, to compare')
const sequential = drawHere()

const picture = assemble(drawn)
const isEqual = picture.equals(assemble(sequential.drawn))
console.log(
  pictureReport({ tiles: drawn, milliseconds, sequentialMilliseconds: sequential.milliseconds, victim, isEqual }),
)
const shadedFile = options.out.replace(/(\.png)?$/, '-by-host.png')
writeFileSync(options.out, picture)
writeFileSync(shadedFile, assembleShaded(drawn))
console.log(`${options.out}\n${shadedFile}: who has drawn what`)
process.exitCode = isEqual ? 0 : 1

async function drawInPool() {
  const started = performance.now()
  await using pool = new Pool({ ...(name === undefined ? {} : { name }), processes: options.processes })
  const drawn: DrawnTile[] = []
  let victim: Doer | undefined
  /** Read by the pool as it needs tiles: those that it takes after a third of the work was done name the victim. */
  function* withAccident(): Generator<Tile> {
    for (const tile of tiles) yield victim === undefined ? tile : { ...tile, victim }
  }
  const meter = new ProgressMeter(tiles.length, 'tiles')
  try {
    for await (const tile of pool.imapUnordered(mandelbrot.draw, withAccident(), { chunkSize: 1 })) {
      drawn.push(tile)
      meter.advance()
      if (!options.spare && victim === undefined && drawn.length >= tiles.length / 3) {
        victim = { host: tile.host, pid: tile.pid }
      }
    }
  } finally {
    meter.stop()
  }
  const milliseconds = performance.now() - started
  pool.close()
  await pool.join()
  return { drawn, milliseconds, victim }
}

/** The same job without a pool: a task is a function, and can be called as one. */
function drawHere() {
  const started = performance.now()
  const drawn = tiles.map((tile) => mandelbrot.draw(tile))
  return { drawn, milliseconds: performance.now() - started }
}

function* tilesOf(view: View, size: number): Generator<Tile> {
  for (let y = 0; y < view.height; y += size) {
    for (let x = 0; x < view.width; x += size) {
      yield { view, x, y, width: Math.min(size, view.width - x), height: Math.min(size, view.height - y) }
    }
  }
}

function assemble(drawn: readonly DrawnTile[]): Buffer {
  const picture = new Picture(view.width, view.height)
  for (const tile of drawn) picture.put(tile)
  return picture.encode()
}

function assembleShaded(drawn: readonly DrawnTile[]): Buffer {
  const picture = new Picture(view.width, view.height)
  const hosts = [...tally(drawn, ({ host }) => host).keys()]
  const worker = ({ host, pid }: Doer) => `${host} ${pid}`
  const workers = [...tally(drawn, worker).keys()]
  for (const tile of drawn) picture.putShaded(tile, hosts.indexOf(tile.host), workers.indexOf(worker(tile)))
  return picture.encode()
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        processes: { type: 'string', default: String(name === undefined ? Math.max(2, availableParallelism()) : 0) },
        width: { type: 'string', default: '1600' },
        steps: { type: 'string', default: '6000' },
        tile: { type: 'string', default: '100' },
        out: { type: 'string', default: join(tmpdir(), 'poolmq-mandelbrot.png') },
        spare: { type: 'boolean', default: false },
      },
    })
    const width = wholeNumber('--width', values.width, 16)
    const view: View = {
      width,
      height: Math.round((width * 3) / 4),
      samples: 2,
      steps: wholeNumber('--steps', values.steps, 1),
    }
    return {
      view,
      processes: wholeNumber('--processes', values.processes, name === undefined ? 1 : 0),
      tile: wholeNumber('--tile', values.tile, 1),
      out: resolve(values.out),
      spare: values.spare,
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return process.exit(2)
  }
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least) {
    throw new Error(`${option} must be a whole number from ${least} on, got ${text}`)
  }
  return number
}
