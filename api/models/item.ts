import { modelToMlm } from '../../pipelines/mlm-write.ts'
import { isItem, mlmToModel } from '../../pipelines/mlm-read.ts'
import { modelMetadata } from '../../pipelines/model.ts'
import { PlanError } from '../../pipelines/errors.ts'
import { HttpError, invalidBody } from '../http/errors.ts'
import type { ModelRow } from './schema.ts'

/** The body of a POST: an Item of the MLM extension as the metadata that it says. @throws HttpError 422 */
export const fromItem = (raw: unknown): unknown => {
  if (!isItem(raw)) return raw
  try {
    return mlmToModel(raw)
  } catch (error) {
    if (error instanceof PlanError) throw invalidBody(error.message)
    throw error
  }
}

/** A model as an Item of the MLM extension. @throws HttpError 409 for one without bands or steps */
export const asItem = (row: ModelRow) => {
  const { display_name, description, pipeline_steps, model_input_data_spec } = row
  const { geoserver_push, postprocessing_options, inference, licence, mlm } = row
  const read = modelMetadata.safeParse({
    ...{ display_name, pipeline_steps, model_input_data_spec, inference },
    ...{ description: description ?? '', geoserver_push: geoserver_push ?? [] },
    postprocessing_options: postprocessing_options ?? {},
    ...(licence ? { licence } : {}),
    ...(mlm ? { mlm } : {}),
  })
  if (read.success) return modelToMlm(read.data)
  const issue = read.error.issues[0]!
  throw new HttpError(409, {
    msg: `The model cannot be written as an MLM Item: ${issue.path.join('.')}: ${issue.message}`,
  })
}
