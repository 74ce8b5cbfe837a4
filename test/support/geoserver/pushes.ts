import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Server } from '../../../steps/push-to-geoserver/program/client.ts'
import { type Push, push } from '../../../steps/push-to-geoserver/program/push.ts'
import { geotiff } from '../geotiff.ts'
import type { Geoserver } from './server.ts'

export const segmentation = {
  segmentation: [
    { color: '#808080', opacity: 0, quantity: 0, label: 'Land' },
    { color: '#4589FF', opacity: 1, quantity: '1', label: 'Water' },
  ],
}
export const layer = {
  workspace: 'geofm',
  layer_name: 'pred',
  display_name: 'P',
  filepath_key: 'model_output_image',
  geoserver_style: segmentation,
}

/** A folder with one file, as an earlier step left it. */
export const made = (
  name: string,
  bytes: Buffer = geotiff(8, 1, (_, row) => row % 2),
  key = 'model_output_image',
) => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-push-'))
  writeFileSync(join(folder, name), bytes)
  return { folder, artifacts: { [key]: name } }
}

/** A push to a stand-in; pauses of a millisecond. */
export const pushTo = (
  stand: Geoserver,
  request: Partial<Push> = {},
  given = made('2024-08-12_a_pred.tif'),
  server: Partial<Server> = {},
  log: (text: string) => void = () => undefined,
) =>
  push(
    { url: stand.url, username: 'admin', password: 'geoserver', pause: 1, ...server },
    { layer_prefix: 'i', layers: [layer], ...request },
    given,
    log,
  )
