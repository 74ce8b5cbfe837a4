"""Hrefs and files of strangers: nothing private is asked, nothing is decoded past its bounds, each refusal has its name."""

import struct
import zlib

import numpy
import pytest
import rasterio
from rasterio.io import MemoryFile

from range_server import RangeServer
from scenes import band, cog_bytes, full, item, modality, parameters


@pytest.fixture
def server():
    server = RangeServer()
    yield server
    server.close()


def read(room, href: str, allow_private=True, hosts=(), **more):
    items = [item("X", {"blue": band(href, **more)})]
    return room.run("data-connector", parameters(modality(items, hosts=list(hosts)), allow_private_hosts=allow_private))


HREFS = [
    "file:///etc/passwd", "/etc/passwd", "/vsicurl/http://127.0.0.1:{port}/x.tif", "/vsizip//vsicurl/http://127.0.0.1:{port}/x.zip/x.tif",
    "/vsis3/bucket/x.tif", "s3://unknown/x.tif", "gs://bucket/x.tif", "ftp://127.0.0.1:{port}/x.tif", "GTIFF_DIR:1:/etc/passwd",
    "<VRTDataset/>", "", "https://user:pass@127.0.0.1:{port}/x.tif", "http://127.0.0.1:{port}/x.tif", "https://127.0.0.1:{port}/x.tif",
    "https://localhost/x.tif", "https://169.254.169.254/latest/meta-data/x.tif", "https://10.0.0.1/x.tif", "https://[::1]/x.tif",
    "https://[::ffff:10.0.0.1]/x.tif", "https://2130706433/x.tif", "https://0x7f.1/x.tif", "https://127.1/x.tif", "https://0.0.0.0/x.tif",
    "https://192.168.1.1/x.tif", "https://100.64.0.1/x.tif", "https://168.63.129.16/x.tif", "https://127.0.0.1:22/x.tif", "http://1.1.1.1/x.tif",
]  # fmt: skip


def test_no_href_leads_inside(room, server):
    """All of them as bands of one plan's items would be 28 processes: the check is one function, asked for each."""
    for href in HREFS:
        ran = read(room, href.format(port=server.port), allow_private=False) if href in HREFS[:14:3] else None
        code = ran.error["code"] if ran else refusal(href.format(port=server.port))
        assert code in ("source.bad_url", "source.forbidden_host"), (href, code)
        assert not ran or "Traceback" not in ran.log
    assert server.seen == []


def refusal(href: str) -> str:
    """What the byte source itself says of an href."""
    import os
    import subprocess
    import sys

    code = (
        "import sys, time\nfrom geodag.access import Access\nfrom geodag.program import StepError\nfrom geodag.ranges import RangeClient\n"
        "try:\n    RangeClient(Access({}, [], False), 10**9, time.monotonic() + 9).range(sys.argv[1], 0, 9, 'x')\nexcept StepError as e:\n    print(e.code)"
    )
    env = {**os.environ, "PYTHONPATH": os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../containers/raster")}
    return subprocess.run([sys.executable, "-c", code, href], env=env, capture_output=True, text=True).stdout.strip()


def test_only_hosts_of_the_catalogue_are_asked(room, server):
    assert read(room, server.url("/x.tif"), hosts=["example.org"]).error["code"] == "source.forbidden_host"
    assert server.seen == []


@pytest.mark.parametrize("location", ["https://169.254.169.254/x.tif", "file:///etc/passwd", "//10.0.0.1/x.tif", "http://127.0.0.2:9/x.tif", ""])
def test_a_redirect_is_checked_as_an_href(room, server, location):
    server.before = lambda handler, path: (handler.say(302, Location=location), True)[1]
    ran = read(room, f"http://localhost:{server.port}/x.tif", hosts=["localhost"])
    assert ran.error["code"] in ("source.forbidden_host", "source.bad_url", "source.refused"), ran.error
    assert len(server.seen) <= 6


def test_redirects_end(room, server):
    server.before = lambda handler, path: (handler.say(302, Location=path + "x"), True)[1]
    assert read(room, server.url("/x")).error["code"] == "source.refused" and len(server.seen) == 6


def tiff(tags: dict, body: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory; each tag is (type, values)."""
    entries, more = b"", b""
    after = 8 + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        packed = b"".join(struct.pack("<" + {3: "H", 4: "I", 12: "d", 2: "c"}[kind], value) for value in values)
        if len(packed) > 4:
            packed, more = struct.pack("<I", after + len(more)), more + packed
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + more + body


GEO = {
    33550: (12, [10.0, 10.0, 0.0]), 33922: (12, [0.0, 0.0, 0.0, 500000.0, 5000000.0, 0.0]),
    34735: (3, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32631]),
}  # fmt: skip


def header(width, height, *, tile=None, compression=1, offset=4096, size=1 << 17, bits=16, count=1, blocks=1, **more) -> bytes:
    tags = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * count), 259: (3, [compression]), 262: (3, [1]), 277: (3, [count]),
        284: (3, [1]), 339: (3, [1] * count), **GEO,
    }  # fmt: skip
    places = {322: (4, [tile]), 323: (4, [tile]), 324: (4, [offset] * blocks), 325: (4, [size] * blocks)} if tile else {
        273: (4, [offset] * blocks), 278: (4, [height]), 279: (4, [size] * blocks)
    }
    return tiff({**tags, **places, **more})


BOMB = zlib.compress(bytes(300_000_000), 9)
VRT = b"""<VRTDataset rasterXSize="512" rasterYSize="512"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename relativeToVRT="0">/vsicurl/http://127.0.0.1:%d/second.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


def hostile_files(port: int) -> dict[str, bytes]:
    good = cog_bytes(full(9), (500000, 5000000))
    files = {
        "empty-ish": b"I", "html": b"<!DOCTYPE html><html>", "xml": b"<?xml version='1.0'?><Error/>", "json": b'{"code": 1}', "vrt": VRT % port,
        "vrt-xml": b"<?xml version='1.0'?>" + VRT % port, "text": b"hello", "gzip": b"\x1f\x8b\x08" + bytes(99), "zip": b"PK\x03\x04" + bytes(99),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(99), "jpeg": b"\xff\xd8\xff\xe0" + bytes(99), "hdf": b"\x89HDF\r\n\x1a\n" + bytes(99),
        "netcdf": b"CDF\x01" + bytes(99), "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), "pdf": b"%PDF-1.4" + bytes(99),
        "wms": b"<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:%d/s</ServerUrl></Service></GDAL_WMS>" % port,
        "magic-only": b"II*\0", "no-directory": b"II*\0\xff\xff\xff\xff" + bytes(99), "big-no-directory": b"II+\0\x08\0\0\0" + b"\xff" * 8,
        "loop": b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "65535-tags": b"II*\0\x08\0\0\0\xff\xff" + bytes(99), "zeros": b"II*\0" + bytes(9000),
        "no-width": header(0, 512), "no-height": header(512, 0), "huge": header(2**31 - 1, 2**31 - 1, tile=256), "wide": header(2**31 - 1, 1),
        "large": header(100_000, 100_000, tile=512), "one-tile": header(16_384, 16_384, tile=16_384), "one-strip": header(20_000, 20_000, size=800_000_000),
        "many-bands": header(512, 512, tile=256, count=300), "past-the-end": header(512, 512, tile=512, offset=2**31, size=1 << 19),
        "all-the-file": header(512, 512, tile=512, offset=0, size=2**32 - 1), "deflate-of-nothing": header(512, 512, tile=512, compression=8) + bytes(1 << 18),
        "odd-bits": header(512, 512, tile=512, bits=999), "odd-compression": header(512, 512, tile=512, compression=4242) + bytes(1 << 20),
        "no-place": tiff({256: (4, [512]), 257: (4, [512]), 258: (3, [16]), 259: (3, [1]), 262: (3, [1]), 277: (3, [1])}),
        "cut": good[: len(good) // 2], "cut-header": good[:300], "bomb": header(512, 512, tile=512, compression=8, size=len(BOMB)).ljust(4096, b"\0") + BOMB,
        "lerc-garbage": header(512, 512, tile=512, compression=34887) + b"Lerc2 " + bytes(1 << 18), "lzw-garbage": header(512, 512, tile=512, compression=5) + b"\xff" * (1 << 18),
        "zstd-garbage": header(512, 512, tile=512, compression=50000) + b"\x28\xb5\x2f\xfd" + b"\xff" * (1 << 18),
        "jpeg-garbage": header(512, 512, tile=512, compression=7, bits=8) + b"\xff\xd8\xff\xe0" + b"\xff" * (1 << 18),
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, height=8, width=8, dtype="complex64") as raster:
            raster.write(numpy.ones((1, 8, 8), "complex64"))
        files["complex"] = memory.read()
    return files


def test_forty_hostile_files_and_none_decoded_past_its_bounds(room, server):
    """Each is refused by name within bounds; the bomb may give what its block holds, for a block is all that is decoded."""
    files = hostile_files(server.port)
    assert len(files) >= 40
    server.files = {f"/{name}.tif": data for name, data in files.items()}
    ends = scan(room, {name: server.url(f"/{name}.tif") for name in files})
    assert all(path != "/second.tif" and not path.startswith("/s/") for path, _ in server.seen)
    for name, (code, peak) in ends.items():
        allowed = ("source.not_raster", "source.too_large", "source.no_geotransform", "source.complex", "source.too_few_bands", "source.bad_answer")
        assert code in allowed or (name in ("bomb", "zeros") and code == "read"), (name, code)
        assert peak < 300_000_000, (name, peak)


def scan(room, hrefs: dict[str, str]) -> dict[str, tuple[str, int]]:
    """Reads every file as the step does, in one process: (code of the failure or "read", growth of its peak memory in bytes)."""
    import json
    import os
    import subprocess
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    code = """
import json, resource, sys, time
from geodag.access import Access
from geodag.program import StepError
from geodag.ranges import RangeClient
from items import Grid, ItemBand
from scenes import G, band, item
client = RangeClient(Access({}, [], True), 10**9, time.monotonic() + 120)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
ends = {}
for name, href in json.load(sys.stdin).items():
    before, one = peak(), ItemBand(client, item("X", {"blue": band(href)}), "blue", Grid(G), "nearest", "GTiff", print)
    try:
        for window in one._grid.windows():
            one.read(window)
        code = "read"
    except StepError as failure:
        code = failure.code
    one.close()
    ends[name] = (code, peak() - before)
json.dump(ends, sys.stdout)
"""
    path = os.pathsep.join((os.path.join(here, "../../containers/raster"), os.path.join(here, "program"), here))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, input=json.dumps(hrefs), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_one_hostile_file_through_the_whole_step(room, server):
    server.files["/vrt.tif"] = VRT % server.port
    ran = read(room, server.url("/vrt.tif"))
    assert ran.error["code"] == "source.not_raster" and "VRT" in ran.error["message"] and "blue of X" in ran.error["message"]
    assert [path for path, _ in server.seen] == ["/vrt.tif"]
