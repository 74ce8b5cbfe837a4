/** Times of the API are UTC; some lack their zone. */
const parse = (time: string): Date => new Date(/Z|[+-]\d\d:\d\d$/.test(time) ? time : `${time}Z`)

const stamp = new Intl.DateTimeFormat(undefined, {
  ...{ year: 'numeric', month: 'short', day: '2-digit', hour: '2-digit', minute: '2-digit' },
})
export const timeText = (time: string): string => stamp.format(parse(time))

/** Between two times, or until now. */
export const durationText = (from?: string, to?: string, now = Date.now()): string => {
  if (!from) return ''
  const seconds = Math.max(0, ((to ? parse(to).getTime() : now) - parse(from).getTime()) / 1000)
  return secondsText(seconds)
}
export const secondsText = (seconds: number): string => {
  if (seconds < 60) return `${Math.round(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const bytesText = (bytes: number): string => {
  const power = bytes ? Math.min(4, Math.floor(Math.log2(bytes) / 10)) : 0
  const value = bytes / 1024 ** power
  return `${value < 10 && power ? value.toFixed(1) : Math.round(value)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

const plain = new Intl.NumberFormat()
export const numberText = (value: number, digits?: number): string =>
  digits === undefined
    ? plain.format(value)
    : value.toLocaleString(undefined, { maximumFractionDigits: digits })
export const shareText = (share: number): string => `${(share * 100).toFixed(1)} %`

/** One of many, or many: `count(2, 'task')`. */
export const count = (n: number, noun: string): string =>
  `${numberText(n)} ${noun}${n === 1 ? '' : 's'}`

/** The last part of a URL's path, or the text itself. */
export const fileName = (url: unknown): string => {
  const text = typeof url === 'string' ? url : JSON.stringify(url)
  try {
    return decodeURIComponent(new URL(text).pathname.split('/').at(-1)!)
  } catch {
    return text
  }
}
