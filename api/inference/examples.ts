import type { z } from 'zod'
import type { dryRunSchema, inferenceSchema, tasksSchema } from './answers.ts'

/** Bodies that the OpenAPI document shows. */
export const aRequest = {
  model_display_name: 'tiny-water',
  description: 'Floods of the Ebro',
  location: 'Zaragoza, Spain',
  spatial_domain: { urls: ['https://host.example.org/scene.tif'] },
  temporal_domain: ['2024-08-12'],
}
const at = '2026-01-01T12:00:00.000000Z'

export const anInference: z.input<typeof inferenceSchema> = {
  spatial_domain: {
    bbox: [],
    polygons: [],
    tiles: [],
    urls: aRequest.spatial_domain.urls,
  },
  temporal_domain: aRequest.temporal_domain,
  fine_tuning_id: null,
  generic_processor: null,
  maxcc: 100,
  model_display_name: aRequest.model_display_name,
  description: aRequest.description,
  location: aRequest.location,
  geoserver_layers: null,
  demo: null,
  model_id: '9a0c1c0e-8f57-4a53-9d8b-6a1f0c9be003',
  inference_output: null,
  generic_processor_id: null,
  id: '3c0c1c0e-8f57-4a53-9d8b-6a1f0c9be005',
  active: true,
  created_by: 'anna@example.org',
  created_at: at,
  updated_at: at,
  status: 'PENDING',
  tasks_count_total: 1,
  tasks_count_success: 0,
  tasks_count_failed: 0,
  tasks_count_stopped: 0,
  tasks_count_waiting: 1,
}

const pipeline_steps = [
  { status: 'READY', process_id: 'url-connector', step_number: 0 },
  { status: 'WAITING', process_id: 'onnx-inference', step_number: 1 },
]
export const someTasks: z.input<typeof tasksSchema> = {
  inference_id: anInference.id,
  status: 'RUNNING',
  tasks: [
    {
      inference_id: anInference.id,
      task_id: `${anInference.id}-task_0`,
      inference_folder: anInference.id,
      status: 'RUNNING',
      pipeline_steps: [
        {
          ...{ status: 'FINISHED', process_id: 'url-connector', step_number: 0 },
          ...{ start_time: '2026-01-01T12:00:01', end_time: '2026-01-01T12:00:02' },
        },
        {
          ...{ status: 'RUNNING', process_id: 'onnx-inference', step_number: 1 },
          start_time: '2026-01-01T12:00:02',
        },
      ],
    },
  ],
}
export const aDryRun: z.input<typeof dryRunSchema> = {
  spatial_domain: aRequest.spatial_domain,
  temporal_domain: aRequest.temporal_domain,
  model_input_data_spec: [{ bands: [{ index: 0, band_name: 'B03' }] }],
  data_connector_config: [],
  geoserver_push: [{ workspace: 'geofm', layer_name: 'pred', display_name: 'Water' }],
  pipeline_steps,
  post_processing: {},
  fine_tuning_id: null,
  generic_processor: null,
  maxcc: 100,
  model_id: 'tiny-water-v1-0f8a6c2e',
  model_internal_name: 'tiny-water-v1-0f8a6c2e',
  tune_id: 'None',
  request_type: 'openeo',
  inference_id: anInference.id,
  description: aRequest.description,
  location: aRequest.location,
  model_access_url: null,
  user: 'anna@example.org',
  inferencing: null,
  plan: {
    tasks: [{ source: 'scene.tif', date: '2024-08-12' }],
    totals: { tasks: 1, expected_seconds: 12.5 },
    earlier_runs: {
      tasks: 1,
      steps: [
        {
          ...{ process_id: 'url-connector', always_runs: false, tasks: 1 },
          ...{ seen_before: 1, last_run_at: '2026-01-01T12:00:02.000000Z' },
        },
      ],
    },
    missing: [],
    warnings: [],
    error: null,
  },
}
