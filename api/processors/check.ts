import { PlanError } from '../../steps/errors.ts'
import * as rules from '../../steps/generic-python-processor/script.ts'
import { HttpError } from '../http/errors.ts'

/** What the rules refuse, as an answer: 413 for what is too large, else 422. */
const answered = <T>(rule: () => T): T => {
  try {
    return rule()
  } catch (error) {
    if (!(error instanceof PlanError)) throw error
    if (error.code === 'processor.too_large') throw new HttpError(413, error.message)
    throw new HttpError(422, [
      {
        type: 'value_error',
        loc: ['body', 'generic_processor_file'],
        msg: `Value error, ${error.message}`,
      },
    ])
  }
}

/** The file's own name, without folders. @throws HttpError 422 unless it ends in .py */
export const scriptName = (name: string): string => answered(() => rules.scriptName(name))

/** The script's text in UTF-8, checked by the rules of every door. @throws HttpError 413, 422 */
export const checkScript = (bytes: Uint8Array): Buffer =>
  Buffer.from(answered(() => rules.readScript(bytes)))
