import { parentPort, workerData } from 'node:worker_threads'
import type { Box } from '../../pipelines/area/crs.ts'
import { areaOf } from './area.ts'

const { boxes, polygons } = workerData as { boxes: Box[]; polygons: unknown[] }
parentPort!.postMessage(areaOf(boxes, polygons))
