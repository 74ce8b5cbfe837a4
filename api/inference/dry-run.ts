import type { Prepared } from './create.ts'

/** What the pipeline would be given; nothing is written. @see contract.md 1.3, `/dry-run` */
export const dryRunAnswer = (user: string, { model, config }: Prepared) => ({
  spatial_domain: config.spatial_domain,
  temporal_domain: config.temporal_domain,
  model_input_data_spec: config.model_input_data_spec,
  data_connector_config: config.data_connector_config,
  geoserver_push: config.geoserver_push,
  pipeline_steps: config.pipeline_steps,
  post_processing: config.post_processing,
  fine_tuning_id: null,
  generic_processor: config.generic_processor ?? null,
  maxcc: config.maxcc,
  model_id: model.internal_name,
  model_internal_name: model.internal_name,
  tune_id: config.fine_tuning_id ? String(config.fine_tuning_id) : 'None',
  request_type: 'openeo',
  inference_id: crypto.randomUUID(),
  description: config.description ?? null,
  location: config.location ?? null,
  model_access_url: model.model_url,
  user,
  inferencing: config.inferencing ?? null,
})
