import { useState } from 'preact/hooks'
import { get } from '../api.ts'
import { count } from '../format.ts'
import { useLoad } from '../hooks.ts'
import { qgisLayers } from '../qgis.ts'
import type { Assets, Task } from '../types.ts'
import { Act, Await } from '../ui.tsx'

const labelOf = (task: Task): string =>
  Object.values(task.pipeline_steps.find(({ artifacts }) => artifacts)?.artifacts ?? {})[0] ??
  task.task_id

export const assetsOf = async (task: string, signal?: AbortSignal): Promise<Assets> =>
  (await get<{ assets: Assets }>(`v2/tasks/${encodeURIComponent(task)}/output`, signal)).assets

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
  const assets = useLoad((signal) => assetsOf(task.task_id, signal), [task.task_id])
  const qgis = async () => {
    const fresh = await assetsOf(task.task_id)
    save(`${labelOf(task)}.qlr`, 'application/xml', qgisLayers(fresh))
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
      <Await of={assets}>
        {(files) => (
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
