import { ownItem } from './mlm.ts'
import { keptItem } from './mlm-kept.ts'
import { mlmToModel } from './mlm-read.ts'
import type { ModelMetadata } from './model.ts'

/**
 * A model as a STAC Item of the Machine Learning Model extension.
 *
 * One that was read from an Item gives that Item again, word for word, but for what was changed of
 * the model since; any other gives geodag's own. `geodag:model` holds the metadata. Pure.
 */
export const modelToMlm = (model: ModelMetadata) =>
  model.mlm ? keptItem(model.mlm, mlmToModel(model.mlm), model) : ownItem(model)
