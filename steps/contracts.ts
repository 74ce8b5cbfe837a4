import type { StepContract } from './contract.ts'
import { contract as cloudMask } from './cloud-mask/contract.ts'
import { contract as dataConnector } from './data-connector/contract.ts'
import { contract as genericPythonProcessor } from './generic-python-processor/contract.ts'
import { contract as maskSources } from './mask-sources/contract.ts'
import { contract as onnxInference } from './onnx-inference/contract.ts'
import { contract as postprocessGeneric } from './postprocess-generic/contract.ts'
import { contract as pushToGeoserver } from './push-to-geoserver/contract.ts'
import { contract as runInference } from './run-inference/contract.ts'
import { contract as terratorchInference } from './terratorch-inference/contract.ts'
import { contract as urlConnector } from './url-connector/contract.ts'

/** Every step's contract: what the plan and the API may see of a step. */
export const contracts = {
  'url-connector': urlConnector,
  'data-connector': dataConnector,
  'onnx-inference': onnxInference,
  'run-inference': runInference,
  'terratorch-inference': terratorchInference,
  'mask-sources': maskSources,
  'cloud-mask': cloudMask,
  'generic-python-processor': genericPythonProcessor,
  'postprocess-generic': postprocessGeneric,
  'push-to-geoserver': pushToGeoserver,
} as const

export type StepName = keyof typeof contracts
export const stepNames = Object.keys(contracts) as StepName[]

/** The contract as the plan sees it: any step's. */
export const contractOf = (name: StepName): StepContract => contracts[name]

/** The step by its name or by what GEOStudio calls it; undefined where there is none. */
export const stepNamed = (process_id: string): StepName | undefined =>
  stepNames.find((name) => name === process_id || contractOf(name).aliases?.includes(process_id))

/** Every name that a pipeline may use. */
export const knownNames = stepNames.flatMap((name) => [name, ...(contractOf(name).aliases ?? [])])
