import { z } from 'zod'
import { anyObject, pageOf, named, timeText } from '../http/answers.ts'
import { uuid } from '../http/routing.ts'

/** Answers of `/v2/notifications`, with the keys in the order that they are sent in. */
const noteFields = {
  id: uuid,
  detail: anyObject.nullable(),
  source: z.string().nullable(),
  detail_type: z.string().nullable(),
}
export const note = named(
  'Notification',
  z.object({ ...noteFields, timestamp: timeText, event_id: uuid }),
)
export const notesSchema = pageOf('Notifications', note)
export const notedSchema = named(
  'Noted',
  z.object({ ...noteFields, timestamp: timeText.nullable(), event_id: uuid }),
)

export const anEvent = {
  id: '1d0c1c0e-8f57-4a53-9d8b-6a1f0c9be004',
  detail: { status: 'RUNNING' },
  source: 'geodag.inference',
  detail_type: 'Inf:Task:Updated',
  timestamp: '2026-01-01T12:00:00.000000Z',
  event_id: '3c0c1c0e-8f57-4a53-9d8b-6a1f0c9be005',
}
export const notedNow = {
  ...{ id: anEvent.id, detail: {}, source: null, detail_type: null, timestamp: null },
  event_id: anEvent.event_id,
}
