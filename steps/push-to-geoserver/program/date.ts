const DAY = /\d{4}-\d{2}-\d{2}/g

const isDay = (text: string): boolean => {
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

/** The first day of the calendar in a file name, YYYY-MM-DD. */
export const dayIn = (name: string): string | undefined => name.match(DAY)?.find(isDay)

/**
 * A raster's name inside a mosaic, whose first date is the day: the index reads that one. Then the
 * task, for scenes of two tasks may have one name.
 */
export const granuleName = (
  file: string,
  day: string | undefined,
  task: number | undefined,
): string => {
  const front = day === undefined || file.match(DAY)?.[0] === day ? undefined : day
  return [front, task === undefined ? undefined : `task_${task}`, file].filter(Boolean).join('_')
}
