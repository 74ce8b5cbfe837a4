import { z } from 'zod'
import { periodProblem } from './search/dates.ts'

/** Rules of a request's fields, the same at every door. */

/** `YYYY-MM-DD`, or `first_last`, where `..` or nothing leaves an end open. */
export const period = z
  .string()
  .max(100)
  .superRefine((text, context) => {
    const problem = periodProblem(text)
    if (problem)
      context.addIssue({ code: 'custom', message: `${JSON.stringify(text)}: ${problem}` })
  })

const S3 = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[^?#\\]+$/
const LONGEST_URL = 8000

/** Whether a text is an address that a scene can be read from; `s3://` only of an operator's bucket. */
export const isSceneUrl = (text: string): boolean =>
  S3.test(text) || (/^https?:\/\//i.test(text) && URL.canParse(text))

/** A scene by its URL, as a server takes it. */
export const sceneUrl = z
  .string()
  .min(1)
  .max(LONGEST_URL)
  .refine(isSceneUrl, {
    error: ({ input }) =>
      `${JSON.stringify(String(input).slice(0, 100))} is not an http(s) URL: upload the file through /v2/file-share, or give a (signed) https URL of it`,
  })

/** A scene by its URL, or by the name of a file that is given beside the request. */
export const sceneName = z
  .string()
  .min(1)
  .max(LONGEST_URL)
  .refine((text) => isSceneUrl(text) || !/^[a-z][a-z0-9+.-]*:/i.test(text), {
    error: ({ input }) =>
      `${JSON.stringify(String(input).slice(0, 100))} is neither an http(s) URL nor the name of a file: give a (signed) https URL, or the file by --scene or --inputs`,
  })

/** Fields whose entries SDKs fill with nulls. */
const NESTED = [
  'model_input_data_spec',
  'geoserver_push',
  'data_connector_config',
  'pipeline_steps',
  'post_processing',
]

/** The value without its objects' nulls: they are as good as absent. */
export const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, item]) => item !== null && item !== undefined)
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]))
}

/** A request as its schema reads it. */
export const tidyRequest = (raw: unknown): unknown => {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw
  const entries = Object.entries(raw)
  return Object.fromEntries(
    entries.map(([key, value]) => [key, NESTED.includes(key) ? withoutNulls(value) : value]),
  )
}

const bare = (name: string): string => name.toLowerCase().replace(/[\s_-]/g, '')

/** The known field that a name means though it is written otherwise, such as `MaxCC`; else undefined. */
export const meantBy = (name: string, known: readonly string[]): string | undefined =>
  known.includes(name) ? undefined : known.find((one) => bare(one) === bare(name))

/** The same object, which refuses a field that is a known one's name in another spelling. */
export const rightlyNamed = <S extends z.ZodObject>(schema: S): S =>
  schema.superRefine((value, context) => {
    for (const name of Object.keys(value)) {
      const meant = meantBy(name, Object.keys(schema.shape))
      if (meant)
        context.addIssue({ code: 'custom', path: [name], message: `no such field: write ${meant}` })
    }
  })

/** A text that can be kept and handed on: no NUL, no half of a surrogate pair. */
export const isText = (text: string): boolean =>
  !text.includes('\0') && !/\p{Surrogate}/u.test(text)
