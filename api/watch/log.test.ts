import { expect, test } from 'vitest'
import { makeLog } from './log.ts'

const said = (settings: { LOG_LEVEL: string; LOG_FORMAT?: 'json' | 'pretty' }) => {
  let text = ''
  const log = makeLog(settings, { write: (line: string) => void (text += line) })
  return { log, text: () => text }
}

test('a line is JSON with its ids; what opens doors is in none', () => {
  const { log, text } = said({ LOG_LEVEL: 'info' })
  const key = `pak-${'x'.repeat(32)}`
  log
    .child({ inference: 'i-1', task: 't-1' })
    .info(
      { authorization: 'Bearer abc.def', headers: { 'x-api-key': key }, step: 'url-connector' },
      `read https://host.example.org/a.tif?X-Amz-Signature=s3cret with ${key}`,
    )
  log.error({ err: new Error('postgres://anna:s3cret@db/geodag: Bearer s3cret') }, 'failed')
  log.debug('not told')
  const [line, failed, ...others] = text()
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one))
  expect(others).toEqual([])
  expect(line).toMatchObject({
    ...{ level: 'info', inference: 'i-1', task: 't-1', step: 'url-connector' },
    msg: 'read https://host.example.org/a.tif?… with pak-…',
  })
  expect(failed.err.message).toBe('postgres://…@db/geodag: Bearer …')
  expect(text()).not.toMatch(/s3cret|abc\.def|xxxx/)
})

test('at a terminal a line is read by people', () => {
  const { log, text } = said({ LOG_LEVEL: 'info', LOG_FORMAT: 'pretty' })
  log.info('API and runner ready at http://127.0.0.1:4280 (SIGTERM drains it)')
  expect(text()).toMatch(
    /^\[\d\d:\d\d:\d\d\] INFO: API and runner ready at http:\/\/127.0.0.1:4280 /,
  )
})
