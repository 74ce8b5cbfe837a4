import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { root } from '../support/engine.ts'
import { pythonClients } from '../support/python.ts'

let python: string
beforeAll(async () => {
  python = join(await pythonClients('chart-requirements.txt'), 'python')
})

const chart = async (values: object) => {
  const script = join(root, 'test/python/chart.py')
  const args = [script, join(root, 'deploy/helm/geodag'), JSON.stringify(values)]
  const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 1e7 })
  return JSON.parse(stdout) as {
    refused?: string
    lint: string[]
    invalid: string[]
    objects: any[]
  }
}
const sound = async (values: object) => {
  const { refused, lint, invalid, objects } = await chart(values)
  expect({ refused, lint, invalid }).toEqual({ refused: undefined, lint: [], invalid: [] })
  const of = (kind: string, name = '') =>
    objects.find((one) => one.kind === kind && one.metadata.name.endsWith(name))
  return { objects, of }
}
/** Settings that api/config.ts reads. */
const settings = () => {
  const files = ['api/config.ts', 'api/data/catalogue.ts']
  return files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
}

test('the defaults lint, render and are valid Kubernetes objects', async () => {
  const { objects, of } = await sound({})
  expect(objects.map(({ kind }) => kind).sort()).toEqual([
    ...['ConfigMap', 'Deployment', 'NetworkPolicy', 'NetworkPolicy', 'PodDisruptionBudget'],
    ...['PodDisruptionBudget', 'Service', 'Service', 'ServiceAccount', 'StatefulSet'],
  ])
  const runner = of('StatefulSet').spec
  const api = of('Deployment').spec
  for (const { template } of [runner, api])
    expect(template.spec.automountServiceAccountToken).toBe(false)
  const [own, engine] = runner.template.spec.containers
  const [served] = api.template.spec.containers
  for (const { securityContext } of [own, served])
    expect(securityContext).toMatchObject({
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ['ALL'] },
    })
  expect(api.template.spec.securityContext.runAsNonRoot).toBe(true)
  expect(own.securityContext.runAsNonRoot).toBe(true)
  // Both sides of the engine's socket: one folder, one address, the runner's own group.
  const socket = ({ volumeMounts }: any) =>
    volumeMounts.find(({ name }: any) => name === 'socket').mountPath
  expect([socket(own), socket(engine)]).toEqual(['/run/dagger', '/run/dagger'])
  const value = (name: string) => own.env.find((one: any) => one.name === name)?.value
  expect(engine.args).toContain(value('_EXPERIMENTAL_DAGGER_RUNNER_HOST'))
  expect(engine.args).toContain(String(own.securityContext.runAsGroup))
  expect(engine.image).toBe('registry.dagger.io/engine:v0.21.8')
  expect(readFileSync(join(root, 'dagger.json'), 'utf8')).toContain('"engineVersion": "v0.21.8"')
  expect(runner.volumeClaimTemplates[0].metadata.name).toBe('cache')
  const names = [...own.env, ...served.env].map(({ name }) => name)
  for (const name of names.filter((one) => one !== '_EXPERIMENTAL_DAGGER_CLI_BIN'))
    expect(settings(), name).toMatch(new RegExp(`^ +${name}:`, 'm'))
})

test('probes ask for paths that the API and a runner answer', async () => {
  const { of } = await sound({})
  const paths = (workload: any) =>
    ['startupProbe', 'livenessProbe', 'readinessProbe'].map(
      (probe) => workload.spec.template.spec.containers[0][probe].httpGet.path,
    )
  const app = readFileSync(join(root, 'api/app.ts'), 'utf8')
  for (const path of paths(of('Deployment'))) expect(app).toContain(`api.get('${path}'`)
  const runner = readFileSync(join(root, 'api/watch/runner-server.ts'), 'utf8')
  for (const path of paths(of('StatefulSet'))) expect(runner).toContain(`path === '${path}'`)
})

test('policies select the pods, by their ports', async () => {
  const { objects, of } = await sound({ networkPolicy: { from: [{ podSelector: {} }] } })
  for (const part of ['api', 'runner']) {
    const workload = of(part === 'api' ? 'Deployment' : 'StatefulSet').spec.template
    const { podSelector, ingress } = of('NetworkPolicy', part).spec
    expect(workload.metadata.labels).toMatchObject(podSelector.matchLabels)
    expect(workload.metadata.labels).toMatchObject(
      of('PodDisruptionBudget', part).spec.selector.matchLabels,
    )
    expect(ingress[0].from).toEqual([{ podSelector: {} }])
    const ports = workload.spec.containers[0].ports.map(({ name }: any) => name)
    expect(ports).toEqual([ingress[0].ports[0].port])
  }
  const off = { podDisruptionBudget: { enabled: false }, networkPolicy: { enabled: false } }
  expect((await sound(off)).objects).toHaveLength(objects.length - 4)
})

test('runners scale by the age of the oldest task that waits, by a name that the API exports', async () => {
  const metric = 'geodag_oldest_ready_seconds'
  expect(readFileSync(join(root, 'api/http/metrics.ts'), 'utf8')).toContain(`'${metric}'`)
  const hpa = await sound({ autoscaling: { kind: 'hpa', target: 90 } })
  expect(hpa.of('HorizontalPodAutoscaler').spec).toMatchObject({
    scaleTargetRef: { kind: 'StatefulSet', name: hpa.of('StatefulSet').metadata.name },
    metrics: [{ external: { metric: { name: metric }, target: { type: 'Value', value: '90' } } }],
  })
  // A count in the manifest would undo the autoscaler's at each upgrade.
  expect(hpa.of('StatefulSet').spec.replicas).toBeUndefined()
  const keda = await sound({ autoscaling: { kind: 'keda' } })
  expect(keda.of('ScaledObject').spec).toMatchObject({
    scaleTargetRef: { kind: 'StatefulSet', name: keda.of('StatefulSet').metadata.name },
    triggers: [{ type: 'prometheus', metadata: { query: `max(${metric})`, threshold: '60' } }],
  })
})

test('an ingress, settings and a storage class of your own', async () => {
  const { of } = await sound({
    config: { PUBLIC_URL: 'https://eo.example.org', MAX_TASKS: 5000, GPU: true },
    ingress: { enabled: true, className: 'nginx', host: 'eo.example.org', tlsSecret: 'eo-tls' },
    engine: { cache: { size: '1Ti', storageClassName: 'ssd' } },
    runner: { nodeSelector: { pool: 'eo' }, tolerations: [{ operator: 'Exists' }] },
    imagePullSecrets: [{ name: 'registry' }],
  })
  expect(of('ConfigMap').data).toMatchObject({ MAX_TASKS: '5000', GPU: 'true' })
  expect(of('Ingress').spec).toMatchObject({
    tls: [{ hosts: ['eo.example.org'], secretName: 'eo-tls' }],
    rules: [{ host: 'eo.example.org' }],
  })
  const { template, volumeClaimTemplates } = of('StatefulSet').spec
  expect(volumeClaimTemplates[0].spec).toMatchObject({ storageClassName: 'ssd' })
  expect(template.spec).toMatchObject({ nodeSelector: { pool: 'eo' } })
})

test.each([
  [{ existingSecret: '' }, '/existingSecret'],
  [{ config: { DATABASE_URL: 'postgres://u:p@h/d' } }, 'DATABASE_URL'],
  [{ autoscaling: { kind: 'always' } }, '/autoscaling/kind'],
  [{ runner: { replica: 3 } }, 'replica'],
  [{ engine: { cache: { size: 'large' } } }, '/engine/cache/size'],
])('values %j are refused by name', async (values, name) => {
  expect((await chart(values)).refused).toContain(name)
})

test('every template is reached by a test above', () => {
  const names = readdirSync(join(root, 'deploy/helm/geodag/templates'))
  expect(names.sort()).toEqual([
    '_helpers.tpl',
    'api.yaml',
    'autoscaling.yaml',
    'config.yaml',
    'policies.yaml',
    'runner.yaml',
  ])
})
