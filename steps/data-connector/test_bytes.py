"""Which bytes are asked for, and what happens when they do not come: never more than the box needs, never zeros."""

import hashlib
import json
import os
import threading

import numpy
import pytest
import rasterio
import rasterio.io

from range_server import RangeServer
from scenes import G, band, cog_bytes, item, modality, parameters

NOISE = numpy.random.default_rng(7).integers(1, 60_000, (1024, 1024), "uint16")


@pytest.fixture
def server():
    server = RangeServer()
    yield server
    server.close()


def noisy(server) -> dict:
    """An item of 16 blocks that do not compress: each is 128 KB."""
    server.files["/noise.tif"] = cog_bytes(NOISE, (500000, 5000000), overviews="AUTO")
    return item("N", {"blue": band(server.url("/noise.tif"))})


def read(room, items, **more):
    asked = {name: more.pop(name) for name in ("hosts", "grid", "bands") if name in more}
    return room.run("data-connector", parameters(modality(items, **asked), **more))


def sha(ran) -> str:
    with open(ran.path("original_input_image"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def touched(server, window) -> int:
    """Bytes of the blocks of /noise.tif that a window ((row, row), (column, column)) touches, as the file itself says."""
    with rasterio.io.MemoryFile(server.files["/noise.tif"]) as memory, memory.open() as raster:
        (top, bottom), (left, right) = window
        sizes = [
            int(raster.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=1))
            for y in range(top // 256, (bottom - 1) // 256 + 1) for x in range(left // 256, (right - 1) // 256 + 1)
        ]  # fmt: skip
    return sum(sizes)


@pytest.mark.parametrize("left, top, width, height", [(300, 300, 150, 100), (200, 200, 400, 400), (0, 0, 1024, 1024), (513, 100, 90, 900)])
def test_only_the_blocks_of_the_box_are_asked_for_and_each_once(room, server, left, top, width, height):
    grid = {**G, "transform": [500000 + 10 * left, 10, 0, 5000000 - 10 * top, 0, -10], "width": width, "height": height}
    ran = read(room, [noisy(server)], grid=grid)
    assert (ran.pixels("original_input_image")[0] == NOISE[top : top + height, left : left + width]).all()
    need = touched(server, ((top, top + height), (left, left + width)))
    assert need <= server.asked() <= 1.2 * need
    assert ran.result["details"]["bytes"] == server.asked() and ran.result["details"]["requests"] == len(server.log)


def test_a_coarse_grid_reads_the_pixels_and_no_overview(room, server):
    grid = {**G, "transform": [500000, 40, 0, 5000000, 0, -40], "width": 256, "height": 256}
    pixels = read(room, [noisy(server)], grid=grid).pixels("original_input_image")[0]
    assert (pixels == NOISE[2::4, 2::4]).all()


def test_an_item_that_adds_nothing_is_not_read(room, server):
    over = item("over", {"blue": band(server.url("/other.tif"))})
    server.files["/other.tif"] = server.files.get("/noise.tif", b"")
    assert read(room, [noisy(server), over]).result["status"] == "FINISHED"
    assert server.asked("/other.tif") == 0


# Trouble that passes, and trouble that does not

@pytest.mark.parametrize("status, headers", [(503, {}), (429, {"Retry_After": "1"}), (500, {}), ("cut", {}), ("hang up", {})])
def test_what_passes_is_tried_again_and_the_pixels_are_the_same(room, server, status, headers):
    items, count, lock = [noisy(server)], [0], threading.Lock()
    clean = sha(read(room, items))

    def trouble(handler, path):
        with lock:
            count[0] += 1
            if count[0] not in (2, 3):
                return False
        if status == "hang up":
            handler.close_connection = True
        elif status == "cut":
            handler.send_response(206)
            handler.send_header("Content-Range", f"{handler.headers['Range'].replace('=', ' ')}/{len(server.files[path])}")
            handler.end_headers()
            handler.wfile.write(b"II*")
            handler.close_connection = True
        else:
            handler.say(status, b"later", **headers)
        return True

    server.before = trouble
    ran = read(room, items)
    assert sha(ran) == clean and ran.result["details"]["retries"] >= 1 and count[0] > 3


def test_what_stays_is_an_error_and_never_zeros(room, server):
    items = [noisy(server)]
    server.before = lambda handler, path: len(server.log) > 0 and (handler.say(410), True)[1]
    ran = read(room, items)
    assert ran.error["code"] == "source.not_found" and "blue of N" in ran.error["message"]


def test_a_file_that_changes_while_it_is_read_is_an_error(room, server):
    items = [noisy(server)]

    def change(handler, path):
        if len(server.log) == 1:
            server.files[path] += b"more"
        return False

    server.before = change
    assert read(room, items).error["code"] == "source.changed"


def test_what_stands_between_may_drop_an_etag_or_call_it_weak_and_redirects_in_utf_8(room, server):
    """One file all the same: only a strong ETag or a size that differs says that it changed."""
    tags, items = iter(['"a"', 'W/"a"', "", '"a"', '"a"']), [noisy(server)]
    [path], place = server.files, "/räume/日本.tif"
    data = server.files[path]

    def before(handler, asked):
        if asked == path:
            handler.say(302, b"", Location=place.encode("utf-8").decode("latin-1"))
            return True
        first, last = map(int, handler.headers["Range"].removeprefix("bytes=").split("-"))
        part = data[first : min(last, len(data) - 1) + 1]
        handler.say(206, part, Content_Range=f"bytes {first}-{first + len(part) - 1}/{len(data)}", ETag=next(tags, '"a"'))
        return True

    server.before = before
    ran = read(room, items)
    assert ran.result["status"] == "FINISHED", ran.result
    assert {asked for asked, _ in server.seen} == {path, "/r%C3%A4ume/%E6%97%A5%E6%9C%AC.tif"}


def answers(body: bytes, status: int = 206, **headers):
    """A server that gives the same whatever is asked."""
    def answer(handler, _path):
        handler.say(status, body, **headers)
        return True

    return answer


@pytest.mark.parametrize(
    "before, code",
    [
        (answers(b"x" * 99, Content_Range="bytes 0-9/10", Content_Length="99"), "source.too_large"),
        (answers(b"x" * 99, Content_Range="bytes 0-9/10", Content_Length="10"), "source.too_large"),
        (answers(b"x" * 10, Content_Range="bytes 5-14/20"), "source.bad_answer"),
        (answers(b"x" * 10, Content_Range="bytes 0-9/5"), "source.bad_answer"),
        (answers(b"x" * 10), "source.bad_answer"),
        (answers(b"x" * 10, 200), "source.no_ranges"),
        (answers(b"", 401), "source.unauthorized"),
        (answers(b"", 403), "source.refused"),
        (answers(b"", 416), "source.not_raster"),
        (answers(b"", 418), "source.refused"),
    ],
)
def test_answers_that_are_not_believed(room, server, before, code):
    items = [noisy(server)]
    server.before = before
    ran = read(room, items)
    assert ran.error["code"] == code, ran.error
    assert "Traceback" not in ran.log


def test_bytes_are_capped(room, server):
    assert read(room, [noisy(server)], max_bytes=100_000).error["code"] == "source.too_large"


# Who may read

def with_access(room, secret: dict, items, **more):
    """The step with its access file beside it instead of in a container's /run/secrets."""
    program = room.folder / "wrapped" / "program"
    program.mkdir(parents=True, exist_ok=True)
    (program / "access.json").write_text(json.dumps(secret))
    real = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program")
    (program / "main.py").write_text(
        f"import runpy, sys, geodag.access\ngeodag.access.FILE = {str(program / 'access.json')!r}\n"
        f"sys.path.insert(0, {real!r})\nrunpy.run_path({real + '/main.py'!r}, run_name='__main__')\n"
    )
    return room.run(str(program.parent), parameters(modality(items, **more)))


def blob(server, path: str) -> str:
    """An href of a host whose name says the storage account: here it is localhost."""
    return f"http://localhost:{server.port}{path}"


def sas(server) -> dict:
    return {"sas": {"localhost": {"endpoint": f"http://127.0.0.1:{server.port}/token", "key": "subscription"}}}


def test_a_signature_that_ends_is_renewed_once(room, server):
    items = [noisy(server)]
    clean, tokens, used = sha(read(room, items)), [], {}
    server.files["/container/noise.tif"] = server.files["/noise.tif"]

    def signed(handler, path):
        if path.startswith("/token"):
            assert handler.headers["Ocp-Apim-Subscription-Key"] == "subscription" and path == "/token/localhost/container"
            tokens.append(f"st=1&sig=s3cret{len(tokens)}")
            handler.say(200, json.dumps({"token": tokens[-1]}).encode())
            return True
        token = handler.path.partition("?")[2]
        used[token] = used.get(token, 0) + 1
        if token == tokens[-1] and used[token] <= (1 if len(tokens) == 1 else 1000):
            return False
        handler.say(403)
        return True

    server.before = signed
    items[0]["bands"]["blue"]["href"] = blob(server, "/container/noise.tif")
    ran = with_access(room, sas(server), items)
    assert ran.error["code"] is None and sha(ran) == clean and len(tokens) == 2
    for where in (ran.log, json.dumps(ran.result), *(json.dumps(rasterio.open(ran.path(key)).tags()) for key in ran.result["artifacts"])):
        assert "s3cret" not in where and "subscription" not in where
    server.before = lambda handler, path: (handler.say(200, b'{"token": "sig=s3cret"}') if path.startswith("/token") else handler.say(403), True)[1]
    ran = with_access(room, sas(server), items)
    assert ran.error["code"] == "source.refused" and "s3cret" not in ran.log


def test_a_bearer_goes_to_its_host_and_not_with_a_redirect(room, server):
    other = RangeServer()
    try:
        items = [noisy(server)]
        other.files["/there.tif"] = server.files["/noise.tif"]
        server.before = lambda handler, path: (handler.say(303, Location=other.url("/there.tif")), True)[1]
        items[0]["bands"]["blue"]["href"] = f"http://localhost:{server.port}/noise.tif"
        ran = with_access(room, {"bearer": {"localhost": "t0ken"}}, items)
        assert ran.result["status"] == "FINISHED", ran.log
        assert all(headers["Authorization"] == "Bearer t0ken" for _, headers in server.seen)
        assert other.seen and not any("Authorization" in headers for _, headers in other.seen)
        assert "t0ken" not in ran.log + json.dumps(ran.result)
    finally:
        other.close()


def test_a_bucket_is_read_by_what_the_run_signed_for_it(room, server):
    items = [noisy(server)]
    items[0]["bands"]["blue"]["href"] = "s3://bucket/noise.tif"
    assert read(room, items).error["code"] == "source.bad_url"
    ran = with_access(room, {"signed": {"s3://bucket/noise.tif": server.url("/noise.tif?X-Amz-Signature=s3cret")}}, items)
    assert ran.result["status"] == "FINISHED" and all("s3cret" in path for path, _ in server.seen)
    assert "s3cret" not in ran.log + json.dumps(ran.result)


def test_a_login_page_is_called_one(room, server):
    items = [noisy(server)]
    page = b"<!DOCTYPE html><html>Log in"
    server.before = answers(page, Content_Range=f"bytes 0-{len(page) - 1}/{len(page)}")
    ran = read(room, items)
    assert ran.error["code"] == "source.not_raster" and "HTML" in ran.error["message"] and "blue of N" in ran.error["message"]
