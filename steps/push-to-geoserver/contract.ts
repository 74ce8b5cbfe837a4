import { z } from 'zod'
import { defineContract } from '../contract.ts'
import { PlanError } from '../errors.ts'
import type { PlanContext, PushEntry } from '../plan-context.ts'
import { PushError } from './program/errors.ts'
import { sldOf } from './program/sld.ts'

/** GeoServer makes a folder, an index and an XML name of it. */
const NAME = /^[A-Za-z_][\w-]*$/

/** With the inference's id, the task and an ending it is a file's name, of 255 bytes at most. */
const MOST_LETTERS = 100

const style = z.union([z.string(), z.looseObject({})]).superRefine((value, context) => {
  try {
    sldOf('check', value)
  } catch (error) {
    if (!(error instanceof PushError)) throw error
    context.addIssue({ code: 'custom', message: `${error.code}: ${error.message}` })
  }
})

const layer = z.looseObject({
  workspace: z
    .string()
    .max(MOST_LETTERS)
    .regex(NAME, 'letters, digits, _ and -, a letter or _ first'),
  layer_name: z
    .string()
    .max(MOST_LETTERS)
    .regex(/^[\w-]+$/, 'letters, digits, _ and -'),
  display_name: z.string(),
  filepath_key: z.string(),
  geoserver_style: style.default(''),
  coverage_name: z.string().optional().describe('Of a NetCDF file with several coverages'),
})

/** A scene that is published as it came: the n-th entry is the n-th URL's. */
const entriesOf = (
  { layers, as_delivered, task_count = 1 }: PlanContext,
  task: number,
): readonly PushEntry[] => {
  if (!as_delivered || task_count < 2 || layers.length < 2) return layers
  const entry = layers[task]
  if (entry) return [entry]
  throw new PlanError(
    'geoserver.no_entry',
    `geoserver_push has ${layers.length} entries and there are ${task_count} scenes: give one entry a scene, in their order, or one for all`,
  )
}

/** Two files under one name: the second would take the first's place, without a word. */
const checkNames = ({ layers, as_delivered, task_count = 1 }: PlanContext): void => {
  const own = as_delivered && task_count > 1
  const files = new Map<string, string>()
  for (const { workspace, layer_name, filepath_key } of layers) {
    const name = `${workspace}:${layer_name}`
    const other = files.get(name)
    if (other !== undefined && (own || other !== filepath_key))
      throw new PlanError(
        'geoserver.same_layer',
        `geoserver_push: two entries are called ${name}: give each a layer_name of its own`,
      )
    files.set(name, filepath_key)
  }
}

const planned = (context: PlanContext) => {
  checkNames(context)
  const task = Number(/-task_(\d+)$/.exec(context.task_id)?.[1] ?? 0)
  const layers = entriesOf(context, task)
  const own = layers.length === 1 && context.layers.length > 1
  return {
    url: context.options.geoserverUrl ?? null,
    // An id of the caller's own may hold what a store's name may not.
    layer_prefix: context.inference_id.replace(/[^\w-]/g, '_'),
    layers,
    task,
    alone: (context.task_count ?? 1) === 1 || own,
    ...(context.date === null ? {} : { date: context.date }),
  }
}

/** Which artifacts go to which GeoServer. */
export const contract = defineContract({
  name: 'push-to-geoserver',
  stage: 'publish',
  message: 'Pushing data to GeoServer...',
  effect: true,
  plan: planned,
  consumes: [],
  produces: [],
  parameters: z.strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .refine((text) => !new URL(text).username, 'give the user name and password as secrets')
      .nullable()
      .describe('such as https://host/geoserver'),
    layer_prefix: z
      .string()
      .regex(/^[\w-]+$/)
      .describe('The inference id'),
    layers: z.array(layer),
    task: z.number().int().min(0).default(0).describe('Several tasks publish into one mosaic'),
    alone: z.boolean().default(false).describe('No other task publishes into these layers'),
    date: z.iso.date().optional().describe('Day of the scene'),
  }),
})
