import { z } from 'zod'
import { anyObject, named, pageOf, stampFields } from '../http/answers.ts'
import { uuid } from '../http/routing.ts'

/** Answers of `/v2/generic-processor`, with the keys in the order that they are sent in. */
export const processor = named(
  'Processor',
  z.object({
    name: z.string(),
    description: z.string().nullable(),
    processor_parameters: anyObject.nullable(),
    id: uuid,
    ...stampFields,
    status: z.string().meta({ description: 'FINISHED, or FAILED where its file was not stored' }),
    processor_file_path: z.string().nullable(),
    processor_presigned_url: z
      .string()
      .nullable()
      .meta({ description: 'Of its file, 8 hours; in the answer of the one only' }),
  }),
)
export const processors = pageOf('Processors', processor)

const id = 'd5811671-fedb-4863-a711-ede1564ccb65'
export const aProcessor = {
  name: 'cloud-masking',
  description: null,
  processor_parameters: { threshold: 0.4 },
  id,
  active: true,
  created_by: 'anna@example.org',
  created_at: '2026-01-01T12:00:00.000000Z',
  updated_at: '2026-01-01T12:00:00.000000Z',
  status: 'FINISHED',
  processor_file_path: `${id}/cloud_masking.py`,
  processor_presigned_url: null,
}
