import { expect, test } from 'vitest'
import { inferenceStatus, type TaskReport } from './manifest.ts'

const task = (status: 'FINISHED' | 'FAILED') => ({ status }) as TaskReport

test('an inference is completed, failed, or completed with errors by its tasks', () => {
  expect(inferenceStatus([task('FINISHED'), task('FINISHED')])).toBe('COMPLETED')
  expect(inferenceStatus([task('FAILED'), task('FAILED')])).toBe('FAILED')
  expect(inferenceStatus([task('FINISHED'), task('FAILED')])).toBe('COMPLETED_WITH_ERRORS')
})
