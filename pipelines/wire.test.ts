import { expect, test } from 'vitest'
import { readRunConfig } from './wire.ts'

const config = {
  model_name: 'm',
  pipeline_steps: [{ process_id: 'terrakit-data-fetch', step_number: 0 }],
  model_input_data_spec: [
    {
      connector: 'sentinel_aws',
      collection: 'sentinel-2-l2a',
      bands: [{ index: 0, band_name: 'red' }],
    },
  ],
  geoserver_push: [],
  spatial_domain: { bbox: [[3, 45, 3.1, 45.1]], tiles: ['31TCJ'] },
  temporal_domain: ['2024-06-10_..'],
}

test('what a request says of its search reaches the planner', () => {
  const asked = { maxcc: 40, min_coverage: '0.5', one_per: 'month', clip: 'True' }
  expect(readRunConfig({ ...config, ...asked }).request).toMatchObject({
    ...{ maxcc: 40, min_coverage: 0.5, one_per: 'month', clip: true },
    spatial_domain: config.spatial_domain,
  })
  expect(readRunConfig(config).request).toMatchObject({
    ...{ maxcc: 100, min_coverage: 0, one_per: 'day', clip: false },
  })
})
