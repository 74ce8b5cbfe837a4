/** `YYYY-MM-DDTHH:MM:SS.ffffffZ`: the SDK's poller needs fraction and Z. @see docs/wire.md#conventions */
export const wireTime = (time: Date): string => time.toISOString().replace(/(\.\d{3})Z$/, '$1000Z')

/** Without zone: API keys' `expires_on`. */
export const zonelessTime = (time: Date): string => wireTime(time).slice(0, -1)

/** Steps' times: seconds, no zone, UTC. @see docs/wire.md#conventions */
export const stepTime = (time: Date): string => time.toISOString().slice(0, 19)

/** Whose a row is and since when, as every answer says it. */
export const stamps = (row: {
  active: boolean
  created_by: string
  created_at: Date
  updated_at: Date
}) => ({
  active: row.active,
  created_by: row.created_by,
  created_at: wireTime(row.created_at),
  updated_at: wireTime(row.updated_at),
})
