import { parseArgs } from 'node:util'
import { chaos } from '../test/chaos/chaos.ts'

// npm run chaos -- MINUTES [--every SECONDS] [--seed NUMBER] [--load INFERENCES]
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string' },
    seed: { type: 'string' },
    load: { type: 'string' },
  },
})
const minutes = Number(positionals[0] ?? 10)
if (!(minutes > 0)) throw new Error('npm run chaos -- MINUTES: give a number of minutes')
const given = Object.fromEntries(
  Object.entries(values).map(([name, value]) => [name, Number(value)]),
)
const report = await chaos({ minutes, ...given })
console.log(JSON.stringify({ ...report, violations: report.violations.length }, null, 2))
for (const violation of report.violations) console.log(`VIOLATION ${violation}`)
console.log(`chaos: ${report.count} faults, ${report.violations.length} violations`)
process.exit(report.violations.length ? 1 : 0)
