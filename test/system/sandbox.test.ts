import { expect, test } from 'vitest'
import { session } from '../support/engine.ts'
import { guard, runScript, small } from '../support/sandbox.ts'

const hostile: [string, string, string, object?][] = [
  [
    'opens a socket',
    'processor.network',
    guard('import socket\nsocket.create_connection(("1.1.1.1", 80), 5)'),
  ],
  [
    'asks a URL',
    'processor.network',
    guard('import urllib.request\nurllib.request.urlopen("http://example.org")'),
  ],
  [
    'writes to its input',
    'processor.input_readonly',
    guard('open("/in/a_pred.tif", "ab").write(b"x")'),
  ],
  ['forks without end', 'processor.processes', guard('while True: os.fork()')],
  [
    'forks without end and hides it',
    'processor.processes',
    guard('while True:\n    try: os.fork()\n    except OSError: time.sleep(0.1)'),
    { wall_seconds: 3 },
  ],
  ['takes all memory at once', 'processor.memory', guard('x = bytearray(1 << 40)')],
  [
    'takes all memory bit by bit',
    'processor.memory',
    guard('x = []\nwhile True: x.append(bytearray(1 << 20))'),
  ],
  ['sleeps for ever', 'processor.timeout', guard('time.sleep(1e6)'), { wall_seconds: 2 }],
  [
    'ignores SIGTERM and sleeps',
    'processor.timeout',
    guard('import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1e6)'),
    { wall_seconds: 2 },
  ],
  ['burns the processor', 'processor.cpu', guard('while True: pass'), { cpu_seconds: 1 }],
  [
    'prints 1 GB',
    'processor.log_size',
    guard('for _ in range(1024): sys.stdout.write("x" * (1 << 20))'),
  ],
  [
    'writes a large file',
    'processor.file_size',
    guard('open("big", "wb").write(b"x" * (30 << 20))'),
  ],
  [
    'writes many files',
    'processor.output_size',
    guard('for i in range(10):\n    open(f"f{i}", "wb").write(b"x" * (10 << 20)); time.sleep(0.2)'),
  ],
  ['leaves a broken raster', 'processor.bad_output', guard('open("a_pred.tif", "w").write("x")')],
  ['raises', 'processor.failed', guard('raise ValueError("my own words")')],
  ['has a syntax error', 'processor.syntax', 'def (:\n'],
  ['has no __main__ guard', 'processor.no_main', 'print("hi")\n'],
]

test.each(hostile)(
  'a processor that %s fails with %s and keeps its log',
  (_, code, script, limits = {}) =>
    session(async () => {
      const { result, log } = await runScript(script, { ...small, ...limits })
      expect(result.error?.code, JSON.stringify(result.error) + log.slice(-2000)).toBe(code)
      expect(log).toContain(code)
    }),
)

test('parameters that the script does not take fail with processor.parameters', () =>
  session(async () => {
    const script = guard(
      'import argparse\np = argparse.ArgumentParser()\np.add_argument("--input"); p.add_argument("--output")\np.parse_args()',
    )
    expect((await runScript(script, small, { nope: 1 })).result.error?.code).toBe(
      'processor.parameters',
    )
    expect((await runScript(script, small, { 'a; rm': 1 })).result.error?.code).toBe(
      'processor.parameters',
    )
  }))

test('the script sees no token, no capability, no root, no network, and cannot leave a daemon', () =>
  session(async () => {
    const body = `import json
status = open('/proc/self/status').read()
if os.fork() == 0:
    os.setsid(); time.sleep(600)
print(json.dumps({'env': sorted(os.environ), 'uid': os.getuid(), 'groups': os.getgroups(),
  'caps': [l.split()[1] for l in status.splitlines() if l.startswith('Cap')],
  'nnp': 'NoNewPrivs:\\t1' in status, 'seccomp': 'Seccomp:\\t2' in status, 'links': os.listdir('/sys/class/net')}))`
    const { result } = await runScript(guard(body), small)
    expect(result.status, JSON.stringify(result)).toBe('FINISHED')
    const seen = result.details.result as Record<string, string[]>
    expect(seen).toMatchObject({ groups: [], nnp: true, seccomp: true })
    expect(seen.uid).toBeGreaterThan(19_999)
    expect(seen.uid).toBeLessThan(60_000)
    expect(new Set(seen.caps)).toEqual(new Set(['0000000000000000']))
    expect(seen.env!.filter((key) => /TOKEN|SECRET|OTEL|TRACE|DAGGER|KEY/.test(key))).toEqual([])
  }))

test('a script that leaves no raster says so, and the prediction stays', () =>
  session(async () => {
    const { result, log } = await runScript(guard('print("only words")'), small)
    expect([result.status, result.artifacts]).toEqual(['FINISHED', {}])
    expect(result.details.note).toContain('left no raster below --output')
    expect(log).toContain('left no raster below --output')
  }))

test("a neighbour that uses all its processes takes none of another's", () =>
  session(async () => {
    const hoard = guard(
      `for n in range(20):\n    if os.fork() == 0:\n        time.sleep(6)\n        os._exit(0)\nfor n in range(20): os.wait()`,
    )
    const modest = guard(
      `import threading\ntime.sleep(2)\nall = [threading.Thread(target=time.sleep, args=(0.5,)) for n in range(15)]\nfor one in all: one.start()`,
    )
    // The engine's containers share one count of processes a user: a user each is a count each.
    const ends = await Promise.all([hoard, modest].map((script) => runScript(script, small)))
    expect(ends.map(({ result }) => result.error)).toEqual([null, null])
  }))

test('both styles of call work, and the raster that is left becomes the prediction', () =>
  session(async () => {
    const rest = `import rasterio\nwith rasterio.open(source) as d: a, p = d.read(), d.profile\nwith rasterio.open(target, 'w', **p) as d: d.write(a * 0 + 2)`
    const flags = guard(
      `import argparse\np = argparse.ArgumentParser()\nfor n in ('input', 'output', 'threshold'): p.add_argument('--' + n, required=True)\nv = p.parse_args()\nassert v.threshold == '80; touch x'\nsource, target = v.input, v.output + '/new.tif'\n${rest}`,
    )
    const positional = guard(
      `import json\nsource, target, p = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])\nassert p == {'threshold': '80; touch x'}\n${rest}\nprint(json.dumps({'status': 'success', 'output_path': target}))`,
    )
    for (const script of [flags, positional]) {
      const { result, log } = await runScript(
        script,
        { ...small, memory_mb: 1000 },
        { threshold: '80; touch x' },
      )
      expect(result.status, log).toBe('FINISHED')
      expect(result.artifacts).toEqual({
        model_output_image: 'a_processed_pred.tif',
        model_output_image_raw: 'a_pred.tif',
      })
    }
  }))
