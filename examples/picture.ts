import { PNG } from 'pngjs'
import type { DrawnTile } from './mandelbrot-tasks.js'

/** The shades of hosts; those of one host's processes lie beside each other. */
const shades: readonly (readonly [name: string, red: number, green: number, blue: number])[] = [
  ['orange', 255, 150, 40],
  ['blue', 60, 130, 255],
  ['green', 70, 220, 110],
  ['violet', 190, 90, 255],
  ['red', 255, 70, 80],
  ['teal', 40, 220, 220],
]

export const shadeName = (host: number): string => (shades[host % shades.length] as (typeof shades)[number])[0]

/** A picture that is put together from tiles. */
export class Picture {
  readonly #png: PNG

  constructor(width: number, height: number) {
    this.#png = new PNG({ width, height })
  }

  put({ x, y, width, height, rgb }: DrawnTile): void {
    for (let i = 0; i < width * height; i++) {
      const to = 4 * ((y + Math.floor(i / width)) * this.#png.width + x + (i % width))
      this.#png.data.set(rgb.subarray(3 * i, 3 * i + 3), to)
      this.#png.data[to + 3] = 255
    }
  }

  /** The same tile, in the shade of the host that has drawn it, with a border; lighter for each further process. */
  putShaded(tile: DrawnTile, host: number, worker: number): void {
    const [, ...shade] = shades[host % shades.length] as (typeof shades)[number]
    const strength = 0.25 + 0.15 * (worker % 4)
    const rgb = tile.rgb.map((value, i) => {
      const pixel = Math.floor(i / 3)
      const isBorder = pixel % tile.width === 0 || pixel < tile.width
      return Math.min(255, value * (1 - strength) + (shade[i % 3] as number) * (isBorder ? 1 : strength))
    })
    this.put({ ...tile, rgb })
  }

  /** The bytes of a PNG file. */
  encode(): Buffer {
    return PNG.sync.write(this.#png, { colorType: 2 })
  }
}
