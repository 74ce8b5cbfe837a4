import { contractOf, knownNames, stepNamed, type StepName } from '../steps/contracts.ts'
import { invalid, PlanError } from './errors.ts'
import { canRun, modelOf, stepFor } from './runs-by.ts'
import { type ModelMetadata, modelMetadata } from './model.ts'
import { type InferenceRequest, inferenceRequest, searchFields } from './request.ts'

/** @throws PlanError `plan.unknown_step` */
export const stepOf = (process_id: string): StepName => {
  const name = stepNamed(process_id)
  if (name) return name
  throw new PlanError(
    'plan.unknown_step',
    `pipeline_steps names ${process_id}: use one of ${knownNames.join(', ')}`,
  )
}

/**
 * The model and the request that an inference's recorded config stands for.
 *
 * @throws PlanError naming the field
 */
export const readRunConfig = (
  config: Record<string, unknown>,
): { model: ModelMetadata; request: InferenceRequest } => {
  const steps = config.pipeline_steps as { process_id: string; step_number: number }[]
  const mapped = steps.map(({ process_id, step_number }) => ({
    process_id: stepOf(process_id),
    step_number,
  }))
  const given = config as Parameters<typeof modelOf>[0]
  const cannot = ({ process_id }: { process_id: StepName }) =>
    contractOf(process_id).stage === 'model' &&
    !config.inference &&
    stepFor(process_id, modelOf(given)) === process_id &&
    !canRun(process_id, modelOf(given))
  if (mapped.some(cannot))
    throw new PlanError(
      'model.no_weights',
      'the model has no `inference` block (weights, tile, mean, std) and no model_url: PATCH the model, or run a tune by fine_tuning_id',
    )
  const model = modelMetadata.safeParse({
    display_name: config.model_name,
    pipeline_steps: mapped,
    model_input_data_spec: config.model_input_data_spec,
    geoserver_push: config.geoserver_push,
    postprocessing_options: config.post_processing ?? {},
    inference: config.inference ?? null,
    model_url: config.model_url ?? null,
    internal_name: config.model_internal_name ?? null,
  })
  if (!model.success) throw invalid('model.invalid', String(config.model_name), model.error)
  const request = inferenceRequest.safeParse({
    spatial_domain: config.spatial_domain,
    temporal_domain: config.temporal_domain,
    post_processing: config.post_processing,
    data_connector_config: config.data_connector_config,
    ...Object.fromEntries(Object.keys(searchFields).map((name) => [name, config[name]])),
  })
  if (!request.success) throw invalid('request.invalid', 'request', request.error)
  return { model: model.data, request: request.data }
}
