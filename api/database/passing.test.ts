import { expect, test } from 'vitest'
import { isPassing } from './database.ts'

const failed = (code: string) => Object.assign(new Error('failed'), { code })

test.each([
  ...['57P01', '57P02', '57P03', '08006', '08P01', '40001', '40P01', '53100', '53200', '53300'],
  // Its disk fails, it was handed over to a replica, a lock was not to be had
  ...['58030', '25006', '55P03', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN'],
])('%s is Postgres being away for a while', (code) => {
  expect(isPassing(failed(code))).toBe(true)
})

test.each(['22001', '23505', '42P01', '42703', '54000', '57P04', '57014', 'ENOENT', 'ENOSPC', ''])(
  '%s is what it is, however often it is tried',
  (code) => expect(isPassing(failed(code))).toBe(false),
)

test('a connection that ended is known by its words', () => {
  expect(isPassing(new Error('Connection terminated unexpectedly'))).toBe(true)
  expect(isPassing(new Error('timeout exceeded when trying to connect'))).toBe(true)
  expect(isPassing(new Error('the script failed'))).toBe(false)
})
