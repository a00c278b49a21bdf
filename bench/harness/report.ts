/**
 * Keeps the figures of docs/performance.md: a record of rows, of which a run replaces those of its workloads, the table
 * between two marks, and a chart for each measure that several contestants have.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'
import { barChart } from './bar-chart.js'
import type { Row } from './row.js'
import { markdownTable } from './table.js'

const record = new URL('../../published.jsonl', import.meta.url)
const page = new URL('../../../docs/performance.md', import.meta.url)
const charts = new URL('../../../docs/performance/', import.meta.url)
const [begin, end] = ['<!-- figures: npm run bench -- --report -->', '<!-- end of figures -->']

export function updateReport(rows: readonly Row[], order: readonly string[]): void {
  const fresh = new Set(rows.map(({ workload }) => workload))
  const all = [...readRows().filter(({ workload }) => !fresh.has(workload)), ...rows]
  all.sort((a, b) => order.indexOf(a.workload) - order.indexOf(b.workload))
  writeFileSync(record, all.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const images = writeCharts(all)
  const text = readFileSync(page, 'utf8')
  const [before = '', after = ''] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))]
  const machine = `${cpus().length} cores (${platform()} ${arch()}), Node.js ${process.versions.node}`
  writeFileSync(page, `${before}${begin}\n\nOn ${machine}:\n\n${markdownTable(all)}\n\n${images}\n\n${after}`)
}

function readRows(): Row[] {
  try {
    const lines = readFileSync(record, 'utf8').trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Row)
  } catch {
    return [] // the first report
  }
}

function writeCharts(rows: readonly Row[]): string {
  mkdirSync(charts, { recursive: true })
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const name = `${row.workload}-${row.measure}-${row.unit}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    groups.set(name, [...(groups.get(name) ?? []), row])
  }
  const images: string[] = []
  for (const [name, group] of groups) {
    const svg = barChart(group)
    if (svg === undefined || group.length < 3) continue
    writeFileSync(new URL(`${name}.svg`, charts), svg)
    images.push(`![${group[0]?.workload}, ${group[0]?.measure}](performance/${name}.svg)`)
  }
  return images.join('\n\n')
}
