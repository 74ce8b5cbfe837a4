import { parentPort, workerData } from 'node:worker_threads'

/** Asks for a small thing every 20 ms, in a thread of its own: the sender's work is not the server's. */
const { url, key } = workerData as { url: string; key: string }
let times: number[] = []
parentPort!.on('message', () => {
  parentPort!.postMessage(times.sort((a, b) => a - b))
  times = []
})
for (;;) {
  const began = performance.now()
  const answer = await fetch(url, { headers: { 'X-API-Key': key } })
  await answer.text()
  if (answer.status !== 200) throw new Error(`GET ${url}: ${answer.status}`)
  times.push(performance.now() - began)
  await new Promise((done) => setTimeout(done, 20))
}
