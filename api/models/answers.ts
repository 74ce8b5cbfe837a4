import { z } from 'zod'
import { anyObject, named, pageOf, stampFields } from '../http/answers.ts'
import { uuid } from '../http/routing.ts'

const entries = z.array(anyObject).nullable()

/** Of a model's files and of a tune's. */
export const exportError = z
  .object({ code: z.string(), message: z.string() })
  .optional()
  .meta({ description: 'Why its export has failed' })

/** Answers of `/v2/models`, with the keys in the order that they are sent in. */
export const modelSchema = named(
  'Model',
  z.object({
    display_name: z.string(),
    description: z.string().nullable(),
    model_url: z.string().nullable(),
    pipeline_steps: z
      .array(z.looseObject({ process_id: z.string(), step_number: z.int() }))
      .nullable(),
    geoserver_push: entries,
    model_input_data_spec: entries,
    postprocessing_options: anyObject.nullable(),
    sharable: z.boolean(),
    model_onboarding_config: anyObject.nullable(),
    latest: z.boolean(),
    version: z.number(),
    internal_name: z.string(),
    id: uuid,
    ...stampFields,
    status: z.string(),
    inference: anyObject.optional().meta({ description: 'How its files are run' }),
    licence: z.string().optional(),
    error: exportError,
    logs_presigned_url: z
      .string()
      .optional()
      .meta({ description: 'The log of its export, live while it runs' }),
  }),
)
export const modelsSchema = pageOf('Models', modelSchema)
export const deployed = named(
  'Deployment',
  z.object({
    id: uuid,
    internal_name: z.string(),
    display_name: z.string(),
    status: z.string(),
  }),
)
/** Of a model as STAC's MLM extension has it; whole by the extension's own schema. */
export const mlmItem = named(
  'ModelItem',
  z.looseObject({
    type: z.literal('Feature'),
    id: z.string(),
    properties: z.looseObject({ 'mlm:name': z.string(), 'mlm:tasks': z.array(z.string()) }),
    assets: z.record(z.string(), z.looseObject({ href: z.string() })),
  }),
)
export const anItem = {
  type: 'Feature' as const,
  id: 'water',
  properties: { 'mlm:name': 'water', 'mlm:tasks': ['semantic-segmentation'] },
  assets: { weights: { href: 'https://host.example.org/water.onnx', roles: ['mlm:model'] } },
}

export const aModel = {
  display_name: 'water',
  description: 'Water, per pixel',
  model_url: null,
  pipeline_steps: [
    { status: 'READY', process_id: 'url-connector', step_number: 0 },
    { status: 'WAITING', process_id: 'onnx-inference', step_number: 1 },
  ],
  geoserver_push: null,
  model_input_data_spec: [{ bands: [{ index: 0, band_name: 'B03' }] }],
  postprocessing_options: null,
  sharable: false,
  model_onboarding_config: null,
  latest: true,
  version: 1,
  internal_name: 'water-v1-0f8a6c2e',
  id: '9a0c1c0e-8f57-4a53-9d8b-6a1f0c9be003',
  active: true,
  created_by: 'anna@example.org',
  created_at: '2026-01-01T12:00:00.000000Z',
  updated_at: '2026-01-01T12:00:00.000000Z',
  status: 'PENDING',
}
