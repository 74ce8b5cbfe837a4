import { log } from '../watch/log.ts'
import { sql } from 'kysely'
import { remove } from '../../steps/push-to-geoserver/program/remove.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'

interface Place {
  readonly workspace: string
  readonly name: string
}
interface Entry {
  readonly workspace?: unknown
  readonly layer_name?: unknown
}

const NAME = /^[\w-]+$/
const listOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : []

/** Numbers of tasks whose push began and was not recorded as done: what it made, nobody wrote down. */
const begun = async (db: Db, id: string): Promise<number[]> => {
  const { rows } = await sql<{ task_id: string }>`
    select task_id from inf_task where inference_id = ${id} and exists (
      select from json_array_elements(pipeline_steps) step
      where step->>'process_id' = 'push-to-geoserver' and step->>'start_time' is not null
        and step->>'status' <> 'FINISHED')`.execute(db)
  return rows.flatMap(({ task_id }) => Number(/_(\d+)$/.exec(task_id)?.[1] ?? []))
}

/**
 * Every layer that an inference published or may have begun to publish.
 *
 * Layers of other owners are none of them: all bear the inference's id in front.
 */
export const placesOf = (
  id: string,
  entries: readonly Entry[],
  uris: readonly unknown[],
  tasks: readonly number[],
): Place[] => {
  const planned = entries.flatMap(({ workspace, layer_name }) =>
    ['', ...tasks.filter(Boolean).map((n) => `-${n}`)].map((end) => ({
      workspace: String(workspace),
      name: `${id}-${layer_name}${end}`,
    })),
  )
  const recorded = uris.map((uri) => {
    const [workspace = '', name = ''] = String(uri).split(':')
    return { workspace, name }
  })
  const all = [...planned, ...recorded].filter(
    ({ workspace, name }) => NAME.test(workspace) && NAME.test(name) && name.startsWith(`${id}-`),
  )
  return [...new Map(all.map((place) => [`${place.workspace}:${place.name}`, place])).values()]
}

/**
 * Takes an inference's layers off the GeoServer.
 *
 * @returns how many there could be; 0 where no GeoServer is configured
 * @throws PushError `geoserver.*`
 */
export const unpublish = async (
  { db, config }: { readonly db: Db; readonly config: Config },
  id: string,
): Promise<number> => {
  const { GEOSERVER_URL, GEOSERVER_USERNAME, GEOSERVER_PASSWORD, GEOSERVER_CA } = config
  if (!GEOSERVER_URL || !GEOSERVER_PASSWORD) return 0
  const row = await db
    .selectFrom('inf_inference')
    .select(['inference_config', 'geoserver_layers'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const entries = listOf((row.inference_config as Record<string, unknown>).geoserver_push)
  const uris = listOf(row.geoserver_layers?.predicted_layers).map(({ uri }) => uri)
  const places = placesOf(id, entries, uris, await begun(db, id))
  if (!places.length) return 0
  const server = {
    url: GEOSERVER_URL,
    username: GEOSERVER_USERNAME,
    password: GEOSERVER_PASSWORD,
    ...(GEOSERVER_CA ? { ca: GEOSERVER_CA } : {}),
    // Whoever calls comes back later.
    ...{ tries: 2, pause: 1000, silence: 120_000 },
  }
  const gone = await remove(server, places)
  if (gone.length) log.info({ inference: id }, `${gone.join(', ')} went with the inference`)
  return places.length
}
