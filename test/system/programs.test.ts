import { dag, ReturnType } from '@dagger.io/dagger'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { modelToMlm } from '../../pipelines/mlm-write.ts'
import { parseModel } from '../../pipelines/model.ts'
import { assets, root, session } from '../support/engine.ts'

const shipped = readdirSync(`${root}/models`).filter((name) => name.endsWith('.yaml'))
const itemOf = (name: string) =>
  modelToMlm(parseModel(readFileSync(`${root}/models/${name}`, 'utf8'), name))

test('the raster programs keep what their own tests say, in the image that they run in', () =>
  session(async () => {
    const tests = dag.host().directory(root, {
      include: [
        'steps/**/*.py',
        'containers/raster',
        'containers/sandbox',
        'models/tiny-water',
        'test/stac',
      ],
      exclude: ['**/__pycache__', '**/.pytest_cache'],
    })
    const items = shipped.reduce(
      (folder, name) => folder.withNewFile(`${name}.json`, JSON.stringify(itemOf(name))),
      dag.directory(),
    )
    const ran = assets()
      .directory('containers/raster')
      .dockerBuild()
      .withExec([
        'pip',
        'install',
        '-q',
        '--disable-pip-version-check',
        'pytest==8.4.2',
        'pytest-xdist==3.8.0',
        'onnx==1.23.2',
        'stac-validator==4.1.2',
        'pystac==1.15.2',
        'rio-cogeo==7.0.4',
        'pyyaml==6.0.4',
      ])
      .withMountedDirectory('/geodag', tests)
      .withMountedDirectory('/items', items)
      .withEnvVariable('GEODAG_MODEL_ITEMS', '/items')
      .withWorkdir('/geodag')
      .withExec(
        [
          'python3',
          '-m',
          'pytest',
          '-q',
          '-p',
          'no:cacheprovider',
          '-W',
          'ignore',
          '-n',
          '2',
          'steps',
        ],
        { expect: ReturnType.Any },
      )
    const [code, said] = [await ran.exitCode(), await ran.stdout()]
    console.log(`geodag: pytest: ${said.trim().split('\n').at(-1)}`)
    expect(code, said).toBe(0)
    expect(Number(/(\d+) passed/.exec(said)?.[1])).toBeGreaterThan(800)
  }))
