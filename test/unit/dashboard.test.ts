import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { expect, test } from 'vitest'
import { openDatabase } from '../../api/database/database.ts'
import { apiMetrics } from '../../api/http/metrics.ts'
import { runMetrics } from '../../api/watch/run-metrics.ts'

const root = join(import.meta.dirname, '../..')
const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/geodag.json'), 'utf8'))
const alerts = readFileSync(join(root, 'docs/monitoring.md'), 'utf8').matchAll(/^ +expr: (.+)$/gm)

/** The metrics that an expression of PromQL names. @throws Error where it is none */
const namedIn = (expression: string): string[] => {
  // Grafana puts the interval in.
  const text = expression.replaceAll('$__rate_interval', '5m')
  const names: string[] = []
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text}`)
      if (type.name === 'VectorSelector') names.push(/^\w+/.exec(text.slice(from, to))![0])
    },
  })
  return names
}

test('dashboard and alerts name metrics that API and runner export', async () => {
  const runs = runMetrics()
  // The database is asked at a scrape alone; where it is away the names stand all the same.
  const api = apiMetrics(openDatabase('postgres://nobody@127.0.0.1:9/none'), runs.register)
  const types = [...(await api.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  const exported = new Set(
    types.flatMap(([, name, type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name!],
    ),
  )
  const expressions: string[] = dashboard.panels.flatMap(({ targets }: any) =>
    targets.map(({ expr }: any) => expr),
  )
  const all = [...expressions, ...[...alerts].map(([, expression]) => expression!)]
  expect(all.length).toBeGreaterThan(14)
  for (const expression of all) {
    const names = namedIn(expression)
    expect(names.length, expression).toBeGreaterThan(0)
    for (const name of names) expect(exported, expression).toContain(name)
  }
  expect(() => namedIn('sum(rate(geodag_steps_total[5m])')).toThrow('not PromQL')
})
