import { z } from 'zod'
import { defineContract } from '../contract.ts'

const layer = z.looseObject({
  workspace: z.string().regex(/^[\w.-]+$/),
  layer_name: z.string().regex(/^[\w-]+$/),
  display_name: z.string(),
  filepath_key: z.string(),
  geoserver_style: z.union([z.string(), z.looseObject({})]).default(''),
})

/** Which artifacts go to which GeoServer. @see contract.md 4.10 */
export const contract = defineContract({
  name: 'push-to-geoserver',
  stage: 'publish',
  message: 'Pushing data to GeoServer...',
  effect: true,
  plan: ({ options, inference_id, layers, date }) => ({
    url: options.geoserverUrl ?? null,
    layer_prefix: inference_id,
    layers,
    ...(date === null ? {} : { date }),
  }),
  consumes: [],
  produces: [],
  parameters: z.strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .nullable()
      .describe('such as https://host/geoserver'),
    layer_prefix: z.string().min(1).describe('The inference id'),
    layers: z.array(layer),
    date: z.iso.date().optional().describe('For a file whose name has none'),
  }),
})
