import { isDeepStrictEqual } from 'node:util'
import { ownItem } from './mlm.ts'
import type { ModelMetadata } from './model.ts'

type Words = Readonly<Record<string, any>>

/** Words that an Item must have, by STAC and by the extension. */
const NEEDED = ['mlm:architecture', 'mlm:output']
const DATES = ['datetime', 'start_datetime', 'end_datetime']

const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value))

/** Whether an Item says no more than what geodag writes of the model by itself. */
export const saysNoMore = (item: unknown, model: ModelMetadata): boolean => {
  const bare = (document: any) => ({
    ...document,
    properties: { ...document.properties, 'geodag:model': undefined },
  })
  return isDeepStrictEqual(plain(bare(item)), plain(bare(ownItem(model))))
}

/** Of words that the model still says as it did when they were read, those that were read. */
const words = (source: Words, before: Words, now: Words, needed: readonly string[]): Words => {
  const changed = Object.keys(now).filter((key) => !isDeepStrictEqual(now[key], before[key]))
  const gone = Object.keys(before).filter((key) => !(key in now))
  const missing = needed.filter((key) => !(key in source) && key in now)
  const kept = Object.entries(source).filter(([key]) => !gone.includes(key))
  const own = [...changed, ...missing].map((key) => [key, now[key]])
  return { ...Object.fromEntries(kept), ...Object.fromEntries(own) }
}

/** The weights' own asset where they changed, in place of the one that was read; others stay. */
const assetsOf = (source: Words, before: Words, now: Words): Words => {
  if (isDeepStrictEqual(before, now)) return source
  const isModel = ([, asset]: [string, any]) => asset?.roles?.includes('mlm:model')
  const [key, asset] = Object.entries(source).find(isModel) ?? ['weights', {}]
  return { ...source, [key]: { ...asset, ...now.weights } }
}

/** Those that were read; geodag's own too where words of its own were put in. */
const extensionsOf = (source: unknown, own: readonly string[], changed: boolean): string[] => {
  const given: string[] = Array.isArray(source) ? source : []
  if (given.length && !changed) return given
  const named = (url: string) => /stac-extensions\.github\.io\/([\w-]+)\//.exec(url)?.[1]
  const known = new Set(given.map(named))
  return [...given, ...own.filter((url) => !known.has(named(url)))]
}

/**
 * The Item that a model was read from, brought up to what the model says now.
 *
 * @param read the model as the Item was read, before anything was changed
 */
export const keptItem = (
  source: Words,
  read: ModelMetadata,
  model: ModelMetadata,
): ReturnType<typeof ownItem> => {
  const [before, now] = [plain(ownItem(read)), plain(ownItem(model))]
  const changed = !isDeepStrictEqual(before, now)
  const outer = words(source, before, now, Object.keys(now))
  const needed = DATES.some((key) => source.properties[key] != null)
    ? NEEDED
    : [...NEEDED, ...DATES]
  const properties = words(source.properties, before.properties, now.properties, needed)
  // Words of other registries may stand where geodag has its own: what it needs is held when read.
  return {
    ...(outer as ReturnType<typeof ownItem>),
    stac_extensions: extensionsOf(source.stac_extensions, now.stac_extensions, changed),
    properties: {
      ...(properties as typeof now.properties),
      'geodag:model': now.properties['geodag:model'],
    },
    assets: assetsOf(source.assets, before.assets, now.assets) as typeof now.assets,
  }
}
