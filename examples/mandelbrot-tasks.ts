import { hostname } from 'node:os'
import { defineTasks } from '@poolmq/client'

/** The part of the complex plane to draw, and how. */
export interface View {
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** Points looked at in each direction of a pixel: their mean is its colour. */
  readonly samples: number
  /** Steps after which a point counts as one of the set. */
  readonly steps: number
}

/** Who does a piece of work. */
export interface Doer {
  readonly host: string
  readonly pid: number
}

/** A rectangle of the picture, to be drawn. */
export interface Tile {
  readonly view: View
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** The process that is to be killed when it is halfway through: the demonstration's accident. */
  readonly victim?: Doer
}

/** The same, drawn. */
export interface DrawnTile extends Doer {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** Three bytes for each pixel, row by row. */
  readonly rgb: Uint8Array
}

const centre = { x: -0.7, y: 0 }
const planeHeight = 2.5

/** The functions of mandelbrot.ts. They are in a module of their own, as worker processes import it. */
export const mandelbrot = defineTasks(import.meta.url, 'mandelbrot', {
  draw: ({ view, x, y, width, height, victim }: Tile): DrawnTile => {
    const me: Doer = { host: hostname(), pid: process.pid }
    const rgb = new Uint8Array(3 * width * height)
    for (let row = 0; row < height; row++) {
      // As the kernel does it when memory runs out: nothing is said, nothing is cleaned up.
      if (row === height >> 1 && victim?.pid === me.pid && victim.host === me.host) process.kill(me.pid, 'SIGKILL')
      for (let column = 0; column < width; column++) {
        drawPixel(view, x + column, y + row, rgb, 3 * (row * width + column))
      }
    }
    return { x, y, width, height, rgb, ...me }
  },
})

function drawPixel({ width, height, samples, steps }: View, x: number, y: number, rgb: Uint8Array, at: number): void {
  const scale = planeHeight / height
  const sums = [0, 0, 0] as [number, number, number]
  for (let i = 0; i < samples; i++) {
    for (let j = 0; j < samples; j++) {
      const real = centre.x + (x + (i + 0.5) / samples - width / 2) * scale
      const imaginary = centre.y + (y + (j + 0.5) / samples - height / 2) * scale
      addColour(sums, stepsToLeave(real, imaginary, steps))
    }
  }
  for (let channel = 0; channel < 3; channel++) rgb[at + channel] = (sums[channel as 0] ?? 0) / samples ** 2
}

/** The steps that a point takes to leave, with a fraction that makes colours flow; infinite for one that stays. */
function stepsToLeave(real: number, imaginary: number, steps: number): number {
  let x = 0
  let y = 0
  for (let step = 0; step < steps; step++) {
    const xx = x * x
    const yy = y * y
    if (xx + yy > 256) return step + 1 - Math.log2(Math.log2(xx + yy) / 2)
    y = 2 * x * y + imaginary
    x = xx - yy + real
  }
  return Number.POSITIVE_INFINITY
}

/** Dark blue far away, white near the border, black inside. */
function addColour(sums: [number, number, number], steps: number): void {
  if (steps === Number.POSITIVE_INFINITY) return
  const phase = 0.35 * Math.sqrt(Math.max(steps, 0)) + 3.1
  sums[0] += 127.5 + 127.5 * Math.cos(phase)
  sums[1] += 127.5 + 127.5 * Math.cos(phase - 0.45)
  sums[2] += 127.5 + 127.5 * Math.cos(phase - 1.1)
}
