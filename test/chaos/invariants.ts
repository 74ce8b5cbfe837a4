import { sql } from 'kysely'
import type { Db, WireStep } from '../../api/database/database.ts'
import { type Asked, expectedOf } from './workload.ts'

const STEP_ENDS = ['FINISHED', 'FAILED', 'STOPPED']
const ENDS = ['COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'STOPPED']

interface Task {
  task_id: string
  planning: boolean
  status: string
  steps: WireStep[]
  lease: string | null
}
export interface Seen {
  id: string
  status: string
  deleted: boolean
  total: number
  success: number
  failed: number
  stopped: number
  waiting: number
  errors: { code: string; message: string; step?: string }[] | null
  tasks: Task[]
}

/** All inferences with their tasks, of one snapshot. */
export const look = async (db: Db): Promise<Seen[]> => {
  const { rows } = await sql<Seen>`
    select i.id, i.status, i.deleted, i.inference_output->'errors' as errors,
      i.tasks_count_total as total, i.tasks_count_success as success,
      i.tasks_count_failed as failed, i.tasks_count_stopped as stopped,
      i.tasks_count_waiting as waiting,
      (select json_agg(json_build_object('task_id', task_id, 'planning', planning,
         'status', t.status, 'steps', pipeline_steps, 'lease', lease_until) order by t.id)
       from inf_task t where t.inference_id = i.id) as tasks
    from inf_inference i`.execute(db)
  return rows
}

/** Statuses that steps give their task: said anew here, not taken from what is tested. */
const taskOf = (steps: WireStep[]): string[] => {
  const all = steps.map(({ status }) => status)
  if (all.includes('FAILED')) return ['FAILED']
  if (all.includes('STOPPED')) return ['STOPPED']
  if (all.every((status) => status === 'FINISHED')) return ['FINISHED']
  return ['READY', 'RUNNING']
}
const inferenceOf = (tasks: Task[]): string[] => {
  const work = tasks.filter((task) => !task.planning).map(({ status }) => status)
  const [planner] = tasks.filter((task) => task.planning).map(({ status }) => status)
  if (work.length === 0) return STEP_ENDS.includes(planner!) ? [planner!] : ['PENDING', 'RUNNING']
  if (work.some((status) => !STEP_ENDS.includes(status))) return ['RUNNING']
  const of = (status: string) => work.filter((one) => one === status).length
  if (of('FINISHED') === work.length) return ['COMPLETED']
  if (of('FAILED') === work.length) return ['FAILED']
  return of('STOPPED') ? ['STOPPED'] : ['COMPLETED_WITH_ERRORS']
}

/** Compares every look with the one before, and with what was asked for. */
export class Watch {
  readonly violations = new Set<string>()
  private readonly steps = new Map<string, string>()
  private readonly ended = new Map<string, string>()
  looks = 0

  private tell(...words: unknown[]): void {
    this.violations.add(words.map((w) => (typeof w === 'string' ? w : JSON.stringify(w))).join(' '))
  }

  take(rows: Seen[], asked: Map<string, Asked>): void {
    this.looks++
    for (const row of rows) {
      this.stays(`inference ${row.id}`, row.status, ENDS)
      for (const task of row.tasks) this.task(task)
      this.counts(row)
      if (ENDS.includes(row.status)) this.end(row, asked.get(row.id))
    }
  }

  /** What has ended never changes. */
  private stays(name: string, status: string, ends: string[], all = status): void {
    const before = this.ended.get(name)
    if (before !== undefined && before !== all) this.tell(name, 'changed:', before, '->', all)
    if (ends.includes(status)) this.ended.set(name, all)
  }

  private task(task: Task): void {
    this.stays(`task ${task.task_id}`, task.status, STEP_ENDS)
    for (const step of task.steps) {
      const all = JSON.stringify(Object.entries(step).sort(([a], [b]) => (a < b ? -1 : 1)))
      this.stays(`step ${task.task_id} ${step.process_id}`, step.status, STEP_ENDS, all)
    }
    if (!taskOf(task.steps).includes(task.status))
      this.tell('task', task.task_id, 'is', task.status, 'of steps', task.steps)
    if (!STEP_ENDS.includes(task.status)) return
    if (task.lease !== null) this.tell('task', task.task_id, 'ended and is leased')
    const open = task.steps.filter(({ status }) => !STEP_ENDS.includes(status))
    if (open.length) this.tell('task', task.task_id, 'ended with open steps', open)
  }

  private counts(row: Seen): void {
    const steps = row.tasks.flatMap((task) => task.steps.map(({ status }) => status))
    const of = (...wanted: string[]) => steps.filter((one) => wanted.includes(one)).length
    const counted = [
      steps.length,
      of('FINISHED'),
      of('FAILED'),
      of('STOPPED'),
      of('WAITING', 'READY'),
    ]
    const said = [row.total, row.success, row.failed, row.stopped, row.waiting]
    if (counted.join() !== said.join())
      this.tell('counts of', row.id, row.status, 'are', said, 'for', counted)
    if (!inferenceOf(row.tasks).includes(row.status))
      this.tell(
        'inference',
        row.id,
        'is',
        row.status,
        'of tasks',
        row.tasks.map((t) => t.status),
      )
  }

  private end(row: Seen, one: Asked | undefined): void {
    if (!one || one.cancelled || one.deleted) return
    const { ends, code } = expectedOf(one.kind)
    if (row.status !== ends)
      this.tell(one.kind, row.id, 'ended', row.status, 'and nobody broke it:', row.errors)
    else if (code && !row.errors?.every((error) => code.test(error.code)))
      this.tell(one.kind, row.id, 'failed of another cause:', row.errors)
    if (ends === 'COMPLETED' && row.errors) this.tell(one.kind, row.id, 'has errors', row.errors)
    if (row.tasks.length !== 1 + one.scenes)
      this.tell(one.kind, row.id, 'has', row.tasks.length, 'tasks for', one.scenes, 'scenes')
    if (/\/(tmp|work|home|root|var)\//.test(JSON.stringify(row.errors ?? '')))
      this.tell(one.kind, row.id, 'tells a path of the server', row.errors)
  }
}
