import { useState } from 'preact/hooks'
import { get } from '../api.ts'
import { count } from '../format.ts'
import { useLoad } from '../hooks.ts'
import { qgisLayers } from '../qgis.ts'
import type { Output, Task } from '../types.ts'
import { Act, Await } from '../ui.tsx'

const labelOf = (task: Task): string =>
  Object.values(task.pipeline_steps.find(({ artifacts }) => artifacts)?.artifacts ?? {})[0] ??
  task.task_id

/** URLs of a task's files, and the statistics of its prediction. */
export const outputOf = (task: string, signal?: AbortSignal): Promise<Output> =>
  get<Output>(`v2/tasks/${encodeURIComponent(task)}/output`, signal)

const save = (name: string, type: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** Files of one task: the archive, each asset, the STAC Item, a layer file for QGIS. */
export const Downloads = ({ tasks }: { tasks: readonly Task[] }) => {
  const [chosen, setChosen] = useState(tasks[0]!.task_id)
  const task = tasks.find(({ task_id }) => task_id === chosen) ?? tasks[0]!
  const output = useLoad((signal) => outputOf(task.task_id, signal), [task.task_id])
  const qgis = async () => {
    const { assets } = await outputOf(task.task_id)
    save(`${labelOf(task)}.qlr`, 'application/xml', qgisLayers(assets))
  }
  return (
    <section aria-label="Files">
      <h2>
        Files <span class="faint">{count(tasks.length, 'task')}</span>
      </h2>
      {tasks.length > 1 && (
        <select
          aria-label="Task"
          value={task.task_id}
          onChange={(event) => setChosen(event.currentTarget.value)}
        >
          {tasks.map((one) => (
            <option key={one.task_id} value={one.task_id}>
              {labelOf(one)}
            </option>
          ))}
        </select>
      )}
      <Await of={output}>
        {({ assets: files }) => (
          <>
            <div class="row">
              {files.archive && (
                <a class="button primary" href={files.archive.href} download>
                  Archive
                </a>
              )}
              {files.item && (
                <a class="button" href={files.item.href} download>
                  STAC Item
                </a>
              )}
              <Act label="QGIS layers" onAct={qgis} />
            </div>
            <ul class="files">
              {Object.entries(files)
                .filter(([key]) => key !== 'archive' && key !== 'item')
                .map(([key, { title, href }]) => (
                  <li key={key}>
                    <a href={href} download>
                      {title}
                    </a>
                    <span class="faint">{key.replaceAll('_', ' ')}</span>
                  </li>
                ))}
            </ul>
          </>
        )}
      </Await>
    </section>
  )
}
