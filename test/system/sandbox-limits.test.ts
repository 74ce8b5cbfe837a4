import { expect, test } from 'vitest'
import { session } from '../support/engine.ts'
import { guard, runScript, small, withoutCgroup } from '../support/sandbox.ts'

/** A GeoTIFF of 160 bands of zeros, side x side, one DEFLATE tile a plane, written by hand. */
const bomb = (side: number, planar: 1 | 2): string => `import struct, zlib
side, bands, planar = ${side}, 160, ${planar}
pack, tile = zlib.compressobj(9), b""
for _ in range(side * side * (bands if planar == 1 else 1) >> 20): tile += pack.compress(bytes(1 << 20))
tile += pack.flush()
tiles = bands if planar == 2 else 1
place = {33550: (12, [10.0, 10.0, 0.0]), 33922: (12, [0.0, 0.0, 0.0, 500000.0, 4500000.0, 0.0]),
         34735: (3, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32630])}
extra = {258: (3, [8] * bands), 324: (4, [8] * tiles), 325: (4, [len(tile)] * tiles), 338: (3, [0] * (bands - 1))}
tags = {256: (4, [side]), 257: (4, [side]), 258: None, 259: (3, [8]), 262: (3, [1]), 277: (3, [bands]), 284: (3, [planar]),
        322: (4, [side]), 323: (4, [side]), 324: None, 325: None, 338: None}
tags.update(extra); tags.update(place)
at, ifd, more = 8 + len(tile), b"", b""
base = at + 2 + 12 * len(tags) + 4
for tag, (kind, values) in sorted(tags.items()):
    raw = struct.pack("<%d%s" % (len(values), {3: "H", 4: "I", 12: "d"}[kind]), *values)
    if len(raw) > 4: where, more = struct.pack("<I", base + len(more)), more + raw
    else: where = raw.ljust(4, b"\\0")
    ifd += struct.pack("<HHI", tag, kind, len(values)) + where
open("a_pred.tif", "wb").write(b"II*\\0" + struct.pack("<I", at) + tile + struct.pack("<H", len(tags)) + ifd + bytes(4) + more)
`
const SPARSE = `import rasterio
with rasterio.open("a_pred.tif", "w", driver="GTiff", width=120000, height=120000, count=1, dtype="uint8", tiled=True,
                   blockxsize=4096, blockysize=4096, compress="deflate", SPARSE_OK="TRUE"): pass`

const hostile: [string, RegExp, string, object?][] = [
  ['leaves one tile of 160 bands', /^processor\.bad_output$/, bomb(1024, 1)],
  [
    'leaves 160 bands, a tile each, that take for ever to turn',
    /^processor\.(timeout|memory|cpu|output_size)$/,
    bomb(4096, 2),
    { wall_seconds: 4 },
  ],
  ['leaves a sparse raster of 120,000 x 120,000', /^processor\.bad_output$/, SPARSE],
  [
    'is a text that takes all memory to parse',
    /^processor\.(syntax|memory)$/,
    `x = [${'['.repeat(60)}${'(1,),'.repeat(1_500_000)}${']'.repeat(60)}]`,
  ],
  [
    'leaves sparse files',
    /^processor\.output_size$/,
    'for n in range(4): os.truncate(os.open(f"s{n}", os.O_CREAT | os.O_RDWR), 300 << 20)',
    { file_mb: 400 },
  ],
  [
    'holds memory in a memfd',
    /^processor\.memory$/,
    'f = os.memfd_create("m")\nfor _ in range(600): os.write(f, bytes(1 << 20))\ntime.sleep(50)',
    { file_mb: 1000 },
  ],
  [
    'holds memory in SysV shm',
    /^processor\.memory$/,
    `import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
for _ in range(6):
    at = libc.shmat(libc.shmget(0, 100 << 20, 0o1600), None, 0)
    ctypes.memset(at, 1, 100 << 20)
    libc.shmdt(ctypes.c_void_p(at))
time.sleep(50)`,
  ],
  [
    'holds shared memory that no process has resident',
    /^processor\.memory$/,
    `import mmap
held = []
for _ in range(6):
    held.append(mmap.mmap(-1, 100 << 20))
    for page in range(0, 100 << 20, 4096): held[-1][page] = 1
    held[-1].madvise(mmap.MADV_DONTNEED)
time.sleep(50)`,
  ],
  [
    'holds memory in removed files of /dev/shm',
    /^processor\.memory$/,
    `held = []
for n in range(40):
    held.append(open("/dev/shm/x", "wb"))
    held[-1].write(bytes(15 << 20)); held[-1].flush()
    os.remove("/dev/shm/x")
time.sleep(50)`,
  ],
  [
    'holds removed files open',
    /^processor\.output_size$/,
    `held = []
for n in range(8):
    held.append(open("x", "wb"))
    held[-1].write(bytes(15 << 20)); held[-1].flush()
    os.remove("x")
time.sleep(50)`,
  ],
  [
    'holds removed files by a map alone',
    /^processor\.output_size$/,
    `import mmap
held = []
for n in range(8):
    with open(f"x{n}", "wb+") as file:
        file.write(bytes(15 << 20)); file.flush(); time.sleep(0.1)
        held.append(mmap.mmap(file.fileno(), 4096))
    os.remove(f"x{n}")
time.sleep(50)`,
  ],
  [
    'hides what it holds',
    /^processor\.(output_size|failed)$/,
    `import ctypes
print(ctypes.CDLL(None).prctl(4, 0, 0, 0, 0))
held = []
for n in range(8):
    held.append(open("x", "wb"))
    held[-1].write(bytes(15 << 20)); held[-1].flush()
    os.remove("x")
time.sleep(50)`,
  ],
  [
    'nests 18 folders of 250 bytes',
    /^processor\.output_names$/,
    'for _ in range(18):\n    os.mkdir("d" * 250); os.chdir("d" * 250)\nopen("x", "w")',
  ],
  [
    'nests 1,500 folders',
    /^processor\.output_names$/,
    'for _ in range(1500):\n    os.mkdir("d"); os.chdir("d")',
  ],
  [
    'burns processor time in children',
    /^processor\.cpu$/,
    `for _ in range(40):
    if os.fork() == 0:
        end = time.process_time() + 0.3
        while time.process_time() < end: pass
        os._exit(0)
    os.wait()`,
    { cpu_seconds: 2, wall_seconds: 120 },
  ],
  [
    'closes its log and burns on',
    /^processor\.timeout$/,
    'os.close(1); os.close(2)\ntime.sleep(60)',
    { wall_seconds: 2 },
  ],
]

test.each(hostile)(
  'a processor that %s fails with %s and keeps its log',
  (_, code, body, limits = {}) =>
    session(async () => {
      const script = guard(`print("before", flush=True)\n${body}`)
      const { result, log } = await runScript(script, { ...small, ...limits })
      expect(result.error?.code, JSON.stringify(result) + log.slice(-2000)).toMatch(code)
      expect(log).toContain(result.error!.code)
      if (!/syntax|parsed/.test(JSON.stringify(result.error))) expect(log).toContain('before')
    }),
)

const PARALLEL = `import multiprocessing, json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory
import numpy
from joblib import Parallel, delayed
def double(n): return 2 * n
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: one = pool.map(double, range(4))
    with multiprocessing.get_context("spawn").Pool(2) as pool: two = pool.map(double, range(4))
    with ProcessPoolExecutor(2) as pool: three = list(pool.map(double, range(4)))
    four = Parallel(n_jobs=2)(delayed(double)(n) for n in range(4))
    five = Parallel(n_jobs=2)(delayed(numpy.sum)(numpy.ones(300000)) for n in range(2))
    block = shared_memory.SharedMemory(create=True, size=40 << 20)
    block.buf[: 40 << 20] = bytes(40 << 20)
    block.close(); block.unlink()
    with multiprocessing.Manager() as manager: six = manager.list([1]) and 6
    print(json.dumps({"all": [one, two, three, four], "sums": five, "six": six}))
`

test('multiprocessing, ProcessPoolExecutor, joblib and shared memory work, counted as memory', () =>
  session(async () => {
    const { result, log } = await runScript(PARALLEL, {
      ...{ ...small, wall_seconds: 120, memory_mb: 800, processes: 64, file_mb: 100 },
    })
    expect(result.error, log).toBeNull()
    const doubled = [0, 2, 4, 6]
    expect(result.details.result).toEqual({
      all: [doubled, doubled, doubled, doubled],
      sums: [300000, 300000],
      six: 6,
    })
    expect((result.details.used as { memory_mb: number }).memory_mb).toBeGreaterThan(40)
  }))

test.each([
  ['memfd', 'os.memfd_create("m")'],
  [
    'SysV shm',
    'import ctypes\nif ctypes.CDLL(None).shmget(0, 4096, 0o1600) < 0: raise OSError("refused")',
  ],
  ['shared anonymous memory', 'import mmap\nmmap.mmap(-1, 4096)'],
])('where no cgroup can be read, %s is refused', (_, body) =>
  session(async () => {
    const { result, log } = await runScript(guard(body), small, {}, withoutCgroup())
    expect(result.error?.code, log).toMatch(/^processor\.(failed|memory)$/)
  }),
)

test('where no cgroup can be read, memory of children and /dev/shm is counted all the same', () =>
  session(async () => {
    const hoard = `for _ in range(5):
    if os.fork() == 0:
        x = bytearray(os.urandom(1 << 20)) * 90
        time.sleep(50)
        os._exit(0)
time.sleep(50)`
    const shared = `for n in range(40): open(f"/dev/shm/{n}", "wb").write(bytes(15 << 20))\ntime.sleep(50)`
    for (const body of [hoard, shared]) {
      const { result, log } = await runScript(guard(body), small, {}, withoutCgroup())
      expect(result.error?.code, log).toBe('processor.memory')
    }
  }))
