import { z } from 'zod'
import { named, timeText } from '../http/answers.ts'
import { uuid } from '../http/routing.ts'

/** Answers of `/v2/groups`, with the keys in the order that they are sent in. */
export const group = named(
  'Group',
  z.object({
    id: uuid,
    name: z.string(),
    description: z.string().nullable(),
    created_by: z.string(),
    created_at: timeText,
    members: z.array(
      z.object({
        user_email: z.string(),
        role: z.string().meta({ description: 'owner or member' }),
        added_at: timeText,
      }),
    ),
  }),
)
export const groups = named('Groups', z.array(group))

const shareFields = {
  group_id: uuid,
  artifact_type: z.string(),
  artifact_id: z.string(),
  granted_by: z.string(),
}
export const share = named('Share', z.object(shareFields))
export const shares = named('Shares', z.array(z.object({ ...shareFields, granted_at: timeText })))

const at = '2026-01-01T12:00:00.000000Z'
export const aGroup = {
  id: '7f0c1c0e-8f57-4a53-9d8b-6a1f0c9be002',
  name: 'flood-team',
  description: 'Floods of the Ebro',
  created_by: 'anna@example.org',
  created_at: at,
  members: [{ user_email: 'anna@example.org', role: 'owner', added_at: at }],
}
export const sharedNow = {
  group_id: aGroup.id,
  artifact_type: 'model',
  artifact_id: '9a0c1c0e-8f57-4a53-9d8b-6a1f0c9be003',
  granted_by: 'anna@example.org',
}
export const aShare = { ...sharedNow, granted_at: at }
