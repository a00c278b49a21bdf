import cliProgress from 'cli-progress'

/** Shows how far a job is, on standard error: a bar on a terminal, a line about every tenth of the way elsewhere. */
export class ProgressMeter {
  readonly #total: number
  readonly #unit: string
  readonly #bar: cliProgress.SingleBar | undefined
  #done = 0
  #nextTenth = 1

  /** @param unit - what is counted, as `files` */
  constructor(total: number, unit: string, { bar = process.stderr.isTTY === true } = {}) {
    this.#total = total
    this.#unit = unit
    if (!bar) return
    this.#bar = new cliProgress.SingleBar(
      { format: `{bar} {percentage} % | {value}/{total} ${unit} | {eta_formatted}`, stream: process.stderr },
      cliProgress.Presets.shades_classic,
    )
    this.#bar.start(total, 0)
  }

  /** Counts one more. */
  advance(): void {
    this.#done += 1
    this.#bar?.update(this.#done)
    if (this.#bar !== undefined || this.#done < (this.#total * this.#nextTenth) / 10) return
    this.#nextTenth = Math.floor((10 * this.#done) / this.#total) + 1
    console.error(`${Math.floor((100 * this.#done) / this.#total)} % | ${this.#done}/${this.#total} ${this.#unit}`)
  }

  /** Leaves the terminal to the lines that follow. */
  stop(): void {
    this.#bar?.stop()
  }
}
