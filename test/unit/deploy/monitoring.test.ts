// deploy/prometheus and deploy/grafana: what they ask for is what is told, and each alarm is explained.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const documented = read('docs/operate.md')

interface Alarms {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[]
}

const { groups } = parse(read('deploy/prometheus/poolmq-alerts.yaml')) as Alarms
const rules = groups.flatMap((group) => group.rules)
const { panels } = JSON.parse(read('deploy/grafana/poolmq-dashboard.json')) as {
  panels: { title: string; targets: { expr: string }[] }[]
}

/** Names of figures, as the sources write them. */
const told = [
  read('packages/worker/src/supervisor/host-metrics.ts'),
  read('packages/worker/src/monitor/pool-metrics.ts'),
]
  .flatMap((text) => [...text.matchAll(/'(poolmq_\w+)'/g)])
  .map(([, name]) => name)

const asked = (expr: string) =>
  [...expr.matchAll(/poolmq_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))

test.each(rules.map(({ alert, expr }) => [alert, expr] as const))(
  'the alarm %s: its figures exist, and it is explained',
  (alert, expr) => {
    expect(asked(expr)).not.toEqual([])
    for (const name of asked(expr)) expect(told).toContain(name)
    expect(documented).toContain(`\`${alert}\``)
  },
)

test.each(panels.map((panel) => [panel.title, panel] as const))(
  'the panel "%s" shows figures that exist',
  (_title, { targets }) => {
    for (const { expr } of targets) {
      expect(asked(expr)).not.toEqual([])
      for (const name of asked(expr)) expect(told).toContain(name)
    }
  },
)
