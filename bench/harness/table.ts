/** The table of a run. */
import Table from 'cli-table3'
import type { Goal, Row } from './row.js'
import type { Summary } from './statistics.js'

const head = ['workload', 'measure', 'PoolMQ', 'peer', "peer's", 'ratio', 'goal', 'verdict']

export function terminalTable(rows: readonly Row[]): string {
  const table = new Table({ head, style: { head: [], border: [], compact: true } })
  table.push(...rows.map(cells))
  return table.toString()
}

export function markdownTable(rows: readonly Row[]): string {
  const line = (values: readonly string[]) => `| ${values.map((value) => value.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(cells(row)))].join('\n')
}

function cells(row: Row): string[] {
  return [
    row.workload,
    row.measure,
    `${figure(row.ours.median)} ${row.unit}`,
    row.peer,
    row.theirs === undefined ? '' : figure(row.theirs.median),
    row.ratio === undefined ? '' : spread(row.ratio),
    row.goal === undefined ? '' : goal(row.goal, row.peer === '' ? '' : ' ×'),
    row.note === undefined ? row.verdict : `${row.verdict}: ${firstLine(row.note)}`,
  ]
}

/** The median, and the lowest and highest round. */
function spread({ median, low, high }: Summary): string {
  return low === high ? figure(median) : `${figure(median)} (${figure(low)}–${figure(high)})`
}

function goal(of: Goal, unit: string): string {
  return 'atLeast' in of ? `≥ ${of.atLeast}${unit}` : `≤ ${of.atMost}${unit}`
}

/** Three digits that matter. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 1000) return Number(value.toPrecision(3)).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

const firstLine = (text: string) => text.split('\n', 1)[0]?.slice(0, 80) ?? ''
