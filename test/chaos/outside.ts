import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Seen } from './invariants.ts'
import type { ChaosService } from './service.ts'
import type { Asked, Workload } from './workload.ts'

/** One inference as its user sees it by REST, against its row. */
const readAll = async (workload: Workload, row: Seen, one: Asked): Promise<string[]> => {
  const wrong: string[] = []
  const get = (path: string) => workload.call('GET', path)
  const { status, body } = await get(`/v2/inference/${row.id}`)
  if (one.deleted) return status === 404 ? [] : [`deleted ${row.id} answers ${status}`]
  if (status !== 200 || body.status !== row.status)
    return [`${row.id}: REST says ${status} ${body.status}, its row ${row.status}`]
  const { tasks } = (await get(`/v2/inference/${row.id}/tasks`)).body
  for (const task of tasks) {
    const name = `${one.kind} ${task.task_id}`
    for (const step of task.pipeline_steps) {
      if (!['FINISHED', 'FAILED'].includes(step.status)) continue
      const log = await get(`/v2/tasks/${task.task_id}/logs/${step.process_id}`)
      const text =
        log.status === 200 ? String((await get(log.body.step_log_url)).body) : `${log.status}`
      const code = step.status === 'FINISHED' ? 0 : 1
      if (!text.endsWith(`Return code: ${code}\n`))
        wrong.push(`${name}: the log of ${step.process_id} ends ${JSON.stringify(text.slice(-80))}`)
    }
    if (!task.task_id.endsWith('planning') && task.status === 'FINISHED') {
      const output = await get(`/v2/tasks/${task.task_id}/output`)
      const archive = task.pipeline_steps.some((s: any) => s.process_id === 'postprocess-generic')
      if (output.status !== (archive ? 200 : 404))
        wrong.push(`${name}: its output answers ${output.status}`)
      if (!archive) continue
      const file = await get(output.body.output_url)
      if (file.status !== 200 || !String(file.body).startsWith('PK'))
        wrong.push(`${name}: its archive answers ${file.status}`)
    }
  }
  const { body: told } = await get(`/v2/notifications/${row.id}?limit=1000`)
  const last = [...told.results]
    .filter((event: any) => event.detail_type === 'Inf:Task:Updated')
    .sort((a: any, b: any) => (a.timestamp < b.timestamp ? -1 : 1))
    .at(-1)
  if (last?.detail.status !== row.status)
    wrong.push(`${row.id}: the last event says ${last?.detail.status}, its row ${row.status}`)
  return wrong
}

/** What clients see of every inference. */
export const byRest = async (rows: Seen[], workload: Workload): Promise<string[]> => {
  const wrong: string[] = []
  for (const one of workload.asked.values()) {
    const row = rows.find(({ id }) => id === one.id)
    if (row) wrong.push(...(await readAll(workload, row, one)))
    else wrong.push(`${one.id} was accepted and is lost`)
  }
  for (const { id } of rows) if (!workload.asked.has(id)) wrong.push(`${id}: nobody asked for it`)
  return wrong
}

/** Log rows of steps, and deleted inferences whose objects are still to be removed. */
export const leftRows = async (service: ChaosService): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    select (select count(*) from step_log)::int
      + (select count(*) from inf_inference where deleted and not purged)::int as n`.execute(
    service.db,
  )
  return rows[0]!.n
}

const names = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])

/** Files that nothing owns any more. */
export const leftFiles = (service: ChaosService, workload: Workload): string[] => {
  const scratch = names(service.scratch).filter((name) => /^geodag-/.test(name))
  const parts = names(join(service.objects, '.parts'))
  const deleted = [...workload.asked.values()].filter((one) => one.deleted)
  const objects = deleted.filter(({ id }) => existsSync(join(service.objects, id)))
  return [
    ...scratch.map((name) => `scratch left: ${name}`),
    ...parts.map((name) => `unfinished object left: ${name}`),
    ...objects.map(({ id }) => `objects of deleted ${id} left`),
  ]
}
