import { z } from 'zod'
import { defineContract } from '../contract.ts'
import { modalityName } from '../modality.ts'
import type { PlanContext, PlanRequest } from '../plan-context.ts'

/** What a model says of its server, where the defaults do not do. */
const block = {
  served_model: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Name that the server knows the model by'),
  data_format: z
    .enum(['url', 'b64_json'])
    .default('url')
    .describe('How the input goes there: a URL that the server reads, or base64 in the request'),
  out_data_format: z
    .enum(['b64_json', 'url'])
    .default('b64_json')
    .describe('How the prediction comes back'),
  values: z
    .enum(['auto', 'classes', 'times_255', 'numbers'])
    .default('auto')
    .describe(
      'What a pixel says: a class, a class times 255 as a byte (TerraTorch’s plugin), a number',
    ),
  request: z
    .record(z.string(), z.json())
    .optional()
    .describe('More fields of the request’s data, for a plugin of one’s own'),
  timeout_seconds: z.number().int().min(1).max(1200).default(300).describe('One request'),
}
const serverBlock = z.strictObject(block)

/** A model that runs elsewhere: deployed, and without weights that could run here. */
const runs = ({ server, inference }: PlanRequest): boolean =>
  !!server && (inference == null || serverBlock.safeParse(inference).success)

const plan = (context: PlanContext) => {
  const { server, inference, input_spec, options, date } = context
  if (!server) return undefined
  const { served_model, ...given } = serverBlock.parse(inference ?? {})
  const origin = URL.canParse(server.url) ? new URL(server.url).origin : ''
  const own = options.modelServers?.includes(origin) ?? false
  return {
    ...given,
    url: server.url,
    model: served_model ?? server.model,
    ...(input_spec.length > 1 ? { modalities: input_spec.map(modalityName) } : {}),
    ...(date === null ? {} : { date }),
    allow_private_hosts: own || (options.allowPrivateHosts ?? false),
  }
}

const { served_model: _, ...rest } = block
const parameters = z.strictObject({
  ...rest,
  url: z
    .url({ protocol: /^https?$/ })
    .max(8000)
    .describe('vLLM’s pooling endpoint'),
  model: z.string().min(1).max(200),
  modalities: z
    .array(z.string().regex(/^[A-Za-z0-9_-]{1,40}$/))
    .min(2)
    .max(8)
    .optional()
    .describe('Names of the inputs of a model that takes several'),
  date: z.iso.date().optional().describe('Acquisition day, UTC: TerraTorch reads it off the URL'),
  pause_seconds: z.number().min(0).max(60).default(5).describe('Before the second try; doubled'),
  allow_private_hosts: z.boolean().default(false),
})
export type RunInferenceParameters = z.output<typeof parameters>

/** File name of an input for its server: with the day, which TerraTorch finds as yyyymmddThhmmss. */
const uploadName = (name: string, date: string | undefined): string =>
  `model_input_${name}${date ? `_${date.replaceAll('-', '')}T000000` : ''}.tif`

/** A deployed model at its `model_url`, by the pooling API of vLLM with an IO processor plugin. */
export const contract = defineContract({
  name: 'run-inference',
  stage: 'model',
  message: 'Inferencing ..',
  inference: serverBlock,
  runs,
  plan,
  online: () => true,
  uploads: (given) => {
    const { modalities, date, data_format } = given as RunInferenceParameters
    if (data_format !== 'url') return []
    return (modalities ?? ['0']).map((name) => uploadName(name, date))
  },
  consumes: ['imputed_input_image'],
  produces: ['model_output_image'],
  parameters,
})
