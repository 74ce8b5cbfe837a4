import { PushError } from './errors.ts'

export type Values = Readonly<Record<string, unknown>>

export const bad = (where: string, why: string): PushError =>
  new PushError('geoserver.bad_style', `geoserver_style.${where}: ${why}`)

export const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A finite number, or its text as old clients write it. @throws PushError `geoserver.bad_style` */
export const numberOf = (value: unknown, where: string): number => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw bad(where, `${JSON.stringify(value)} is no number`)
}

/** `#RRGGBB`, the one form that GeoServer reads right; `#RGB` is widened. */
export const colorOf = (value: unknown, where: string): string => {
  const text = String(value).trim()
  if (/^#[0-9a-f]{6}$/i.test(text)) return text
  if (/^#[0-9a-f]{3}$/i.test(text)) return text.replace(/[0-9a-f]/gi, '$&$&')
  throw bad(where, `${JSON.stringify(value)} is no colour such as #4589FF`)
}

export const opacityOf = (value: unknown, where: string): number => {
  const opacity = numberOf(value, where)
  if (opacity >= 0 && opacity <= 1) return opacity
  throw bad(where, `${opacity} is not from 0 (transparent) to 1`)
}

/** A label as it is: `${...}` would be read as an expression. */
export const labelOf = (value: unknown): string => String(value).replaceAll('${', '\\${')
