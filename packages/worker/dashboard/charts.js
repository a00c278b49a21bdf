// Two plots of the last five minutes, and what is kept for them.
import uPlot from './lib/uplot.js'

const kept = 300

/** A plot of one figure over time, in an element. */
export class Plot {
  #times = []
  #values = []
  #plot

  constructor(element, color) {
    this.#plot = new uPlot(
      {
        width: element.clientWidth || 400,
        height: 140,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [{}, { size: 60 }],
        series: [{}, { stroke: color, width: 1.5, fill: `${color}22` }],
      },
      [[], []],
      element,
    )
    addEventListener('resize', () => this.#plot.setSize({ width: element.clientWidth, height: 140 }))
  }

  /** @param at milliseconds */
  add(at, value) {
    this.#times.push(at / 1000)
    this.#values.push(value)
    if (this.#times.length > kept) {
      this.#times.shift()
      this.#values.shift()
    }
    this.#plot.setData([this.#times, this.#values])
  }

  clear() {
    this.#times = []
    this.#values = []
    this.#plot.setData([[], []])
  }
}
