// deploy/kubernetes: valid by the models of Kubernetes and KEDA, true to the command and the keys, and sized as
// docs/deploy.md says.
import { readdirSync, readFileSync } from 'node:fs'
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1'
import { Deployment } from 'kubernetes-models/apps/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { Service } from 'kubernetes-models/v1'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'

const directory = new URL('../../../deploy/kubernetes/', import.meta.url)

type Manifest = Record<string, unknown> & { kind: string }
const manifests = readdirSync(directory)
  .flatMap((name) => parseAllDocuments(readFileSync(new URL(name, directory), 'utf8')))
  .map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as Manifest
  })

function manifest<T>(kind: string, name = 'poolmq-worker'): T {
  const found = manifests.filter((one) => one.kind === kind && (one.metadata as { name: string }).name === name)
  expect(found).toHaveLength(1)
  return found[0] as T
}

const models = { Deployment, Service, PodDisruptionBudget, ScaledObject }
const deployment = manifest<ConstructorParameters<typeof Deployment>[0] & object>('Deployment')
const metrics = manifest<ConstructorParameters<typeof Deployment>[0] & object>('Deployment', 'poolmq-metrics')
const pod = deployment.spec?.template.spec
const container = pod?.containers[0]
const options = new Map((container?.args ?? []).map((arg) => arg.split('=') as [string, string]))

test.each(manifests.map((one) => [one.kind, one] as const))('%s is valid', (kind, one) => {
  const Model = models[kind as keyof typeof models] as unknown as new (json: object) => { validate(): void }
  expect(() => new Model(one).validate()).not.toThrow()
  // And would be found out otherwise.
  expect(() => new Model({ ...one, spec: 'none' }).validate()).toThrow()
})

test('all are about the same pods', () => {
  const labels = deployment.spec?.selector.matchLabels
  expect(deployment.spec?.template.metadata?.labels).toEqual(labels)
  expect(manifest<{ spec: { selector: object } }>('Service').spec.selector).toEqual(labels)
  const budget = manifest<{ spec: { selector: { matchLabels: object } } }>('PodDisruptionBudget')
  expect(budget.spec.selector.matchLabels).toEqual(labels)
  const scaled = manifest<{ spec: { scaleTargetRef: { name: string } } }>('ScaledObject')
  expect(scaled.spec.scaleTargetRef.name).toBe(deployment.metadata?.name)
})

test('the probes ask the health port, and longer than it takes to answer', () => {
  const port = container?.ports?.find(({ name }) => name === 'health')?.containerPort
  expect(String(port)).toBe(options.get('--health-port'))
  expect(container?.livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'health' })
  expect(container?.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'health' })
  expect(container?.readinessProbe?.timeoutSeconds).toBeGreaterThan(2)
})

test('a pod is left the time that draining takes, and to withdraw', () => {
  const drain = Number(options.get('--drain')) / 1000
  expect(pod?.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(drain + 10)
})

test('the memory is what docs/deploy.md adds up', () => {
  const [processes, mostOfAChild, base] = [Number(options.get('--processes')), 512, 100]
  const { requests, limits } = container?.resources ?? {}
  expect(requests?.memory).toBe(`${base + processes * mostOfAChild}Mi`)
  expect(limits?.memory).toBe(`${base + processes * (1.25 * mostOfAChild + base)}Mi`)
  expect(requests?.cpu).toBe(String(processes))
})

test('KEDA asks the figures of the same pool, where they are served', () => {
  const { spec } = manifest<{ spec: { triggers: { type: string; metadata: Record<string, string> }[] } }>(
    'ScaledObject',
  )
  const [trigger, ...others] = spec.triggers
  expect(others).toEqual([])
  expect(trigger?.type).toBe('metrics-api')
  const { args = [], ports } = metrics.spec?.template.spec?.containers[0] ?? {}
  const port = ports?.find(({ name }) => name === 'metrics')?.containerPort
  expect(trigger?.metadata.url).toBe(`http://${metrics.metadata?.name}:${port}/metrics`)
  expect(args).toContain(`--port=${port}`)
  expect(args).toContain(`--pool=${options.get('--pool')}`)
  // A pod has so many worker processes.
  expect(trigger?.metadata.targetValue).toBe(options.get('--processes'))
})
