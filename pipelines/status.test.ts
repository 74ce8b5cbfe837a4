import { expect, test } from 'vitest'
import { countsOf, moved, statusOf, statusOfWork, taskStatus, workOf } from './status.ts'

const task = (status: string, planning = false) => ({ planning, status, steps: [{ status }] })
const planner = (status: string) => task(status, true)

test.each([
  [['READY'], [], 'PENDING'],
  [['RUNNING'], [], 'RUNNING'],
  [['FAILED'], [], 'FAILED'],
  [['STOPPED'], [], 'STOPPED'],
  [['FINISHED'], ['READY', 'READY'], 'RUNNING'],
  [['FINISHED'], ['FINISHED', 'RUNNING'], 'RUNNING'],
  [['FINISHED'], ['FINISHED', 'FAILED', 'READY'], 'RUNNING'],
  [['FINISHED'], ['FINISHED', 'FINISHED'], 'COMPLETED'],
  [['FINISHED'], ['FAILED', 'FAILED'], 'FAILED'],
  [['FINISHED'], ['FINISHED', 'FAILED'], 'COMPLETED_WITH_ERRORS'],
  [['FINISHED'], ['FINISHED', 'STOPPED'], 'STOPPED'],
])('planner %j and tasks %j give %s', (plan, tasks, status) => {
  expect(statusOf([planner(plan[0]!), ...tasks.map((t) => task(t))])).toBe(status)
})

test('no status ends in COMPLETED while a task is active', () => {
  for (const active of ['READY', 'RUNNING'])
    expect(statusOf([planner('FINISHED'), task('FINISHED'), task(active)])).not.toMatch(/COMPLETED/)
})

test('counts are of steps, the planner included, and add up', () => {
  const counts = countsOf([
    planner('FINISHED'),
    {
      planning: false,
      status: 'RUNNING',
      steps: ['FINISHED', 'RUNNING', 'WAITING'].map((status) => ({ status })),
    },
  ])
  expect(counts).toEqual({
    tasks_count_total: 4,
    tasks_count_success: 2,
    tasks_count_failed: 0,
    tasks_count_stopped: 0,
    tasks_count_waiting: 1,
  })
})

test('a task between two steps stays RUNNING', () => {
  const steps = (...all: string[]) => all.map((status) => ({ status }))
  expect(taskStatus(steps('FINISHED', 'READY', 'WAITING'))).toBe('RUNNING')
  expect(taskStatus(steps('READY', 'WAITING'))).toBe('READY')
  expect(taskStatus(steps('FINISHED', 'FAILED', 'STOPPED'))).toBe('FAILED')
})

test('moving the counts by one task gives what counting all of them gives, whatever is moved', () => {
  const ends = ['READY', 'RUNNING', 'FINISHED', 'FAILED', 'STOPPED', 'WAITING']
  const pick = (n: number, salt: number) => ends[(n * 7 + salt * 13) % ends.length]!
  const stepped = (n: number, planning = false) => {
    const steps = [0, 1, 2].map((step) => ({ status: pick(n, step) }))
    return { planning, status: taskStatus(steps), steps }
  }
  const tasks = [stepped(0, true), ...Array.from({ length: 20 }, (_, n) => stepped(n + 1))]
  let held = { ...workOf(tasks), ...countsOf(tasks) }
  for (let n = 0; n < 300; n++) {
    const at = (n * 11) % tasks.length
    const after = stepped(n * 3 + 5, at === 0)
    held = moved(held, tasks[at]!, after)
    tasks[at] = after
    expect(held).toEqual({ ...workOf(tasks), ...countsOf(tasks) })
    expect(statusOfWork(held)).toBe(statusOf(tasks))
  }
})
