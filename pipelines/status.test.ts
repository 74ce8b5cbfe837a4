import { expect, test } from 'vitest'
import { countsOf, statusOf, taskStatus } from './status.ts'

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
