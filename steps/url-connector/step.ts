import type { Container, Directory } from '@dagger.io/dagger'
import { z } from 'zod'
import { defineStep, image, runPython, type StepEnvironment, withServices } from '../step.ts'
import { contract, MAX_BYTES, type UrlConnectorParameters } from './contract.ts'

/** Who may read `s3://`: JSON `{"signed": {url: presigned URL}}`, never in a plan, log or cache key. */
const ACCESS = '/run/secrets/access.json'

/** The raster image with the network of the run; a URL may serve new bytes, so `key` names when. */
const online = (env: StepEnvironment, key: string): Container => {
  const base = withServices(env, image(env, 'raster'))
  const { access } = env.secrets
  return (access ? base.withMountedSecret(ACCESS, access) : base).withEnvVariable('RUN_KEY', key)
}

/** A zip of scenes, and what limits its download. */
export interface Zip {
  readonly url?: string | undefined
  readonly file?: string | undefined
  readonly max_bytes?: number
  readonly allow_private_hosts?: boolean
}

/** Every scene of a zip in a file of its own, with `scenes.json`: one exec for all tasks of `key`. */
const unpacked = (env: StepEnvironment, zip: Zip, files: Directory, key: string): Directory => {
  const { url, file, max_bytes = MAX_BYTES, allow_private_hosts = false } = zip
  const wanted = { ...(url ? { url } : { path: '/scene.zip' }), max_bytes, allow_private_hosts }
  const base = url
    ? online(env, key)
    : image(env, 'raster').withMountedFile('/scene.zip', files.file(file!))
  return base
    .withMountedDirectory('/program', env.assets.directory(`steps/${contract.name}/program`))
    .withExec(['python3', '/program/scenes.py', JSON.stringify(wanted), '/scenes'])
    .directory('/scenes')
}

const listed = z.array(
  z.object({
    member: z.string().describe('Name in the zip'),
    date: z.iso.date().nullable().describe('Day that the name holds'),
    bytes: z.number().int(),
  }),
)
export type ScenesInZip = z.output<typeof listed>

/**
 * The GeoTIFFs of a zip, in order of their names; none where it is no zip.
 *
 * For a planner, which makes a task of each by `member` of its scene. `key` is the inference's id,
 * as the plan says it in `zip_key`, so that what was downloaded here is there for the tasks.
 *
 * @throws Error whose `stderr` says `source.<code>: message`
 */
export const scenesInZip = async (
  env: StepEnvironment,
  zip: Zip,
  files: Directory,
  key: string,
): Promise<ScenesInZip> => {
  const text = await unpacked(env, zip, files, key).file('scenes.json').contents()
  return listed.parse(JSON.parse(text))
}

const baseOf = (env: StepEnvironment, p: UrlConnectorParameters, files: Directory): Container => {
  if (p.member !== undefined)
    return image(env, 'raster').withMountedDirectory(
      '/scenes',
      unpacked(env, p, files, p.zip_key ?? env.runKey),
    )
  return contract.online?.(p) ? online(env, env.runKey) : image(env, 'raster')
}

/**
 * Fetches the scenes of one task and makes the model input of each: bands in order, scaled, nodata filled.
 *
 * Fails with `source.*`. A file is pure and cached by content; a URL may serve new bytes, so its
 * download is keyed by the task, and that of a zip of many scenes by the inference.
 */
export const urlConnector = defineStep({
  contract,
  out: (env, input, parameters) =>
    runPython(env, contract.name, baseOf(env, parameters, input.files), input, parameters),
})
