/** Where the whole log of an ended step is kept. */
export const logKey = (inference: string, task: string, step: string): string =>
  `${inference}/${task}/${task}-${step}-stdout.log`
