import { createHash } from 'node:crypto'
import type { Config } from '../config.ts'
import type { Store } from '../storage/store.ts'
import { GIB, overQuota } from './runs.ts'

const ROOM = 'temporary-uploads'
const DAY = /^\d{4}-\d{2}-\d{2}$/
const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

const ownerOf = (user: string): string =>
  createHash('sha256').update(user).digest('hex').slice(0, 16)

/** Under the user's own prefix: nobody overwrites another's file of the same name and day. */
export const uploadKey = (user: string, name: string): string =>
  `${ROOM}/${dayOf(Date.now())}/${ownerOf(user)}/${name}`

interface Usage {
  objects: number
  bytes: number
}

/** What an owner's uploads of all days take. */
const usageOf = async (store: Store, owner: string): Promise<Usage> => {
  const all: Usage = { objects: 0, bytes: 0 }
  for (const day of await store.folders(ROOM)) {
    const { objects, bytes } = await store.usage(`${ROOM}/${day}/${owner}`)
    all.objects += objects
    all.bytes += bytes
  }
  return all
}

export const uploadsFull = ({ QUOTA_UPLOAD_GIB, UPLOAD_DAYS }: Config) =>
  overQuota(
    'quota.upload_bytes',
    `Your uploads take ${QUOTA_UPLOAD_GIB} GiB, which is the most (QUOTA_UPLOAD_GIB): they are removed after ${UPLOAD_DAYS} days; overwrite one by its name, or upload less.`,
  )

/** @throws HttpError 429 `quota.uploads`, `quota.upload_bytes` */
export const checkUploads = async (store: Store, config: Config, user: string): Promise<void> => {
  const { objects, bytes } = await usageOf(store, ownerOf(user))
  if (bytes >= config.QUOTA_UPLOAD_GIB * GIB) throw uploadsFull(config)
  if (objects >= config.QUOTA_UPLOADS)
    throw overQuota(
      'quota.uploads',
      `You have ${objects} uploads, which is the most (QUOTA_UPLOADS): they are removed after ${config.UPLOAD_DAYS} days; upload scenes as one zip.`,
    )
}

/**
 * Bytes that an upload to `key` may still take; counted with what others of its owner are writing.
 *
 * @throws HttpError 429 `quota.upload_bytes` where there is none
 */
export const roomFor = async (store: Store, config: Config, key: string): Promise<number> => {
  const [room, , owner] = key.split('/')
  if (room !== ROOM || owner === undefined) return Infinity
  const { bytes } = await usageOf(store, owner)
  const left = config.QUOTA_UPLOAD_GIB * GIB - bytes
  if (left <= 0) throw uploadsFull(config)
  return left
}

/** Removes uploads of days that are over. @returns those days */
export const expireUploads = async (
  store: Store,
  keepDays: number,
  now = Date.now(),
): Promise<string[]> => {
  const oldest = dayOf(now - keepDays * 86_400_000)
  const over = (await store.folders(ROOM)).filter((day) => DAY.test(day) && day < oldest)
  for (const day of over) await store.removeBelow(`${ROOM}/${day}`)
  return over
}
