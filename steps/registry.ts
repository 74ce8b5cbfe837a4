import type { StepName } from './contracts.ts'
import { dataConnector } from './data-connector/step.ts'
import { genericPythonProcessor } from './generic-python-processor/step.ts'
import { cloudMask } from './cloud-mask/step.ts'
import { maskSources } from './mask-sources/step.ts'
import { onnxInference } from './onnx-inference/step.ts'
import { postprocessGeneric } from './postprocess-generic/step.ts'
import { pushToGeoserver } from './push-to-geoserver/step.ts'
import { runInference } from './run-inference/step.ts'
import type { Step } from './step.ts'
import { terratorchInference } from './terratorch-inference/step.ts'
import { scenesInZip, urlConnector } from './url-connector/step.ts'

// A list of differently typed steps: each is called with what its own contract parsed.
const erase = (step: unknown): Step => step as Step

/** Every step by its `process_id`. */
export const registry: Readonly<Record<StepName, Step>> = {
  'url-connector': erase(urlConnector),
  'data-connector': erase(dataConnector),
  'onnx-inference': erase(onnxInference),
  'run-inference': erase(runInference),
  'terratorch-inference': erase(terratorchInference),
  'mask-sources': erase(maskSources),
  'cloud-mask': erase(cloudMask),
  'generic-python-processor': erase(genericPythonProcessor),
  'postprocess-generic': erase(postprocessGeneric),
  'push-to-geoserver': erase(pushToGeoserver),
}

/** What a planner asks of a zip before it makes a task of each scene in it. */
export { scenesInZip }
