import { readFileSync } from 'node:fs'

// The last line that CI reads; a file that did not load counts as a failure.
const report = JSON.parse(readFileSync(process.argv[2]!, 'utf8'))
const broken = report.testResults.filter(
  (file: { status: string; assertionResults: unknown[] }) =>
    file.status === 'failed' && file.assertionResults.length === 0,
).length
const skipped = report.numPendingTests + report.numTodoTests
console.log(
  `${report.numPassedTests} passed, ${report.numFailedTests + broken} failed, ${skipped} skipped`,
)
