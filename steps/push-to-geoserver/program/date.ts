import { createHash } from 'node:crypto'

const DAY = /\d{4}-\d{2}-\d{2}/g

const isDay = (text: string): boolean => {
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

/** The first day of the calendar in a file name, YYYY-MM-DD. */
export const dayIn = (name: string): string | undefined => name.match(DAY)?.find(isDay)

/** A file system takes 255 bytes a name, and a server adds endings. */
const MOST_LETTERS = 150

/**
 * A name that every server can write: where its locale is C, other letters become `?`. A name that
 * is changed gets a sum of the old one, so that two stay two.
 */
export const plainName = (name: string): string => {
  const plain = name.replace(/[^\w.-]/g, '_')
  if (plain === name && name.length <= MOST_LETTERS) return name
  const [, stem, ending] = /^(.*?)(\.\w{1,5})?$/.exec(plain)!
  const sum = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `${stem!.slice(0, MOST_LETTERS)}_${sum}${ending ?? ''}`
}

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
  const task_n = task === undefined ? undefined : `task_${task}`
  return [front, task_n, plainName(file)].filter(Boolean).join('_')
}
