import cliProgress from 'cli-progress'

/** Shows how far a job is: a bar on a terminal, a line about every tenth of the way elsewhere. */
export class ProgressMeter {
  readonly #total: number
  readonly #bar: cliProgress.SingleBar | undefined
  #done = 0
  #nextTenth = 1

  constructor(total: number, { bar = process.stdout.isTTY === true } = {}) {
    this.#total = total
    if (!bar) return
    this.#bar = new cliProgress.SingleBar(
      { format: '{bar} {percentage} % | {value}/{total} files | {eta_formatted}', stream: process.stdout },
      cliProgress.Presets.shades_classic,
    )
    this.#bar.start(total, 0)
  }

  /** Counts one more file. */
  advance(): void {
    this.#done += 1
    this.#bar?.update(this.#done)
    if (this.#bar !== undefined || this.#done < (this.#total * this.#nextTenth) / 10) return
    this.#nextTenth = Math.floor((10 * this.#done) / this.#total) + 1
    console.log(`${Math.floor((100 * this.#done) / this.#total)} % | ${this.#done}/${this.#total} files`)
  }

  /** Leaves the terminal to the lines that follow. */
  stop(): void {
    this.#bar?.stop()
  }
}
