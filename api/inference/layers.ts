import { sql } from 'kysely'
import { z } from 'zod'
import { type Db, json } from '../database/database.ts'

/** What a service reports of published layers: in GEOStudio's form, or ours. */
export const layersDetail = z.looseObject({
  predicted_layers: z.array(z.record(z.string(), z.unknown())).nullish(),
  bboxes: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])).nullish(),
  output_url: z.string().nullish(),
})

interface Layer {
  uri: string
  [more: string]: unknown
}
type Box = [number, number, number, number]

/** Boxes that an answer lists: every status carries them, and each task adds one. */
const MOST_BOXES = 200

const listOf = <T>(value: unknown): T[] => (Array.isArray(value) ? (value as T[]) : [])

/** Around all; west > east where it crosses 180 degrees, as those boxes do (RFC 7946 5.2). */
export const merged = (boxes: Box[]): Box => {
  const crossing = boxes.some(([w, , e]) => w > e)
  // Beside a box across 180 degrees, all are counted eastwards from 0.
  const eastwards = boxes.map(([w, s, e, n]): Box => {
    const turn = crossing && w < 0 ? 360 : 0
    return [w + turn, s, w > e ? e + 360 : e + turn, n]
  })
  const [w, s, e, n] = [
    Math.min(...eastwards.map((b) => b[0])),
    Math.min(...eastwards.map((b) => b[1])),
    Math.max(...eastwards.map((b) => b[2])),
    Math.max(...eastwards.map((b) => b[3])),
  ]
  if (e - w >= 360) return [-180, s, 180, n]
  return [w > 180 ? w - 360 : w, s, e > 180 ? e - 360 : e, n]
}

/** Tasks of several dates share a place. */
const distinct = (boxes: Box[]): Box[] => [
  ...new Map(boxes.map((box) => [box.join(), box])).values(),
]

/** The old wire form of a layer, as GeoServer steps of GEOStudio report it. */
const fromStore = (entry: Record<string, any>): Layer => ({
  uri: `${entry.coverageStore?.workspace?.name}:${entry.coverageStore?.name}`,
  display_name: entry.display_name,
  sld_body: entry.layer_style_xml,
  z_index: entry.z_index,
  visible_by_default: entry.visible_by_default,
})

/** A layer that is published again keeps its place in the list. */
export const inPlace = (shown: readonly Layer[], given: readonly Layer[]): Layer[] => [
  ...new Map([...shown, ...given].map((layer) => [layer.uri, layer])).values(),
]

/** Adds published layers and their boxes by uri; under the inference's lock. @see docs/wire.md#notifications */
export const addLayers = async (
  trx: Db,
  id: string,
  detail: Record<string, unknown>,
): Promise<void> => {
  const row = await trx
    .selectFrom('inf_inference')
    .select(['geoserver_layers', 'inference_output'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  // A client may have sent anything as geoserver_layers: what is no list of layers does not count.
  const held = row.geoserver_layers ?? {}
  const shown = listOf<Layer>(held.predicted_layers).filter((layer) => layer?.uri)
  const boxed = listOf<Box>(held.bbox_pred).filter(Array.isArray)
  const given = listOf<Layer>(detail.predicted_layers)
  const layers = given.map((layer) => (layer.uri ? layer : fromStore(layer)))
  const boxes = distinct([...boxed.slice(0, -1), ...listOf<Box>(detail.bboxes)])
  // The last one held is the box around all, those no longer listed too: it only grows.
  const around = [...boxes, ...boxed.slice(-1)]
  const next = {
    ...held,
    predicted_layers: inPlace(shown, layers),
    ...(boxes.length ? { bbox_pred: [...boxes.slice(0, MOST_BOXES), merged(around)] } : {}),
  }
  await trx
    .updateTable('inf_inference')
    .set({
      geoserver_layers: json(next),
      ...(detail.output_url
        ? { inference_output: json({ ...row.inference_output, output_url: detail.output_url }) }
        : {}),
      updated_at: sql`now()`,
    })
    .where('id', '=', id)
    .execute()
}
