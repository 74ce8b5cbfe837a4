import { Worker } from 'node:worker_threads'
import { Turns } from '../http/turns.ts'
import type { Box } from '../../pipelines/area/crs.ts'
import { areaOf } from './area.ts'

/** The union took too long: its edges cross each other too often. */
export class TooIntricate extends Error {}

const SECONDS = 5
const FEW_POINTS = 60
const turns = new Turns()

const inThread = (boxes: readonly Box[], polygons: readonly unknown[]): Promise<number> =>
  new Promise((done, failed) => {
    const worker = new Worker(new URL('./area-worker.ts', import.meta.url), {
      workerData: { boxes, polygons },
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    })
    const timer = setTimeout(() => {
      failed(new TooIntricate(`the area was not known after ${SECONDS} s`))
      void worker.terminate()
    }, SECONDS * 1000)
    worker.once('message', done)
    worker.once('error', failed)
    worker.once('exit', () => {
      clearTimeout(timer)
      failed(new TooIntricate('the thread ended'))
    })
  })

/**
 * `areaOf` off the event loop and bounded in time and memory: a union's time grows with the square
 * of the edges that cross. Only a few points are done at once.
 *
 * @throws TooIntricate after 5 s; what `areaOf` throws
 */
export const boundedArea = async (
  boxes: readonly Box[],
  polygons: readonly unknown[],
  points: number,
): Promise<number> =>
  points <= FEW_POINTS ? areaOf(boxes, polygons) : turns.take(() => inThread(boxes, polygons))
