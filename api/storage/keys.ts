/** Where the whole log of an ended step is kept. */
export const logKey = (inference: string, task: string, step: string): string =>
  `${inference}/${task}/${task}-${step}-stdout.log`
/** What is kept of a user's script; `processor_file_path` is its name below. */
export const PROCESSORS = 'generic-processor'
