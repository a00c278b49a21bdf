/** A bar chart as SVG: a bar a contestant, with its median, and a line from the lowest round to the highest. */
import type { Row } from './row.js'
import type { Summary } from './statistics.js'
import { figure } from './table.js'

interface Bar extends Summary {
  readonly label: string
}

const width = 720
const left = 210
const right = 110
const barHeight = 18
const step = 26
const top = 34

/** The chart of the rows of one measure of one workload; undefined when there is nothing to compare. */
export function barChart(rows: readonly Row[]): string | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  const bars: Bar[] = [{ label: 'poolmq', ...first.ours }]
  for (const { peer, theirs } of rows) if (theirs !== undefined) bars.push({ label: peer, ...theirs })
  if (bars.length < 2) return undefined
  const most = Math.max(...bars.map(({ high }) => high))
  const x = (value: number) => (left + (value / most) * (width - left - right)).toFixed(1)
  const height = top + bars.length * step + 10
  const body = bars.map(({ label, median, low, high }, i) => {
    const y = top + i * step
    const middle = y + barHeight / 2
    return [
      `<text x="${left - 8}" y="${middle + 4}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${left}" y="${y}" width="${(Number(x(median)) - left).toFixed(1)}" height="${barHeight}" fill="${i === 0 ? '#2f6fde' : '#9aa4b2'}"/>`,
      `<path d="M${x(low)} ${middle}H${x(high)}" stroke="#1f2733" stroke-width="1.5"/>`,
      `<text x="${Number(x(high)) + 6}" y="${middle + 4}">${figure(median)}</text>`,
    ].join('')
  })
  const title = escapeXml(`${first.workload}, ${first.measure}: ${first.unit}`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="20" font-weight="bold">${title}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n')
}

const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
