"""Downloads from servers that lie, dawdle and redirect (containers/raster/geodag/fetch.py), over real sockets."""

import gzip
import socket
import threading
import time
import zlib
from contextlib import contextmanager

import pytest

from geodag import address, connection
from geodag.fetch import fetch
from geodag.program import StepError

BODY = b"II*\0" + bytes(range(256)) * 40


class Server:
    """Answers each request with ``answers[path]``: bytes, or a function of the socket; keeps the requests."""

    def __init__(self, host: str = "127.0.0.1", family=socket.AF_INET) -> None:
        self.listening = socket.socket(family, socket.SOCK_STREAM)
        self.listening.bind((host, 0))
        self.listening.listen(50)
        self.port, self.asked, self.answers = self.listening.getsockname()[1], [], {}
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client) -> None:
        with client:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    got = client.recv(65536)
                    if not got:
                        return
                    head += got
                self.asked.append(head)
                answer = self.answers.get(head.split(b" ")[1].decode(), b"HTTP/1.1 404 None\r\n\r\n")
                answer(client) if callable(answer) else client.sendall(answer)
            except OSError:
                pass

    def url(self, path: str = "/a.tif", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def server():
    made = Server()
    yield made
    made.listening.close()


def answer(body: bytes = BODY, status: str = "200 OK", *headers: str, length: int | None = -1) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers] + ([f"Content-Length: {len(body) if length == -1 else length}"] if length is not None else [])
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body


def got(url: str, folder, max_bytes: int = 1_000_000, seconds: float = 5, private: bool = True) -> bytes:
    fetch(url, str(folder / "got"), max_bytes, private, lambda _: None, seconds)
    return (folder / "got").read_bytes()


@contextmanager
def failing(code: str, *words: str):
    with pytest.raises(StepError) as failure:
        yield
    assert failure.value.code == code, failure.value
    assert all(word in str(failure.value) for word in words), failure.value


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def deflated(body: bytes, wbits: int) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return stream.compress(body) + stream.flush()


GOOD = {
    "plain": answer(),
    "201": answer(BODY, "201 Created"),
    "203": answer(BODY, "203 Non-Authoritative Information"),
    "206 whole": answer(BODY, "206 Partial Content", f"Content-Range: bytes 0-{len(BODY) - 1}/{len(BODY)}"),
    "until the end": answer(length=None),
    "chunked": answer(chunked(BODY, 700), "200 OK", "Transfer-Encoding: chunked", length=None),
    "http 1.0": answer(length=None).replace(b"1.1", b"1.0"),
    "100 first": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
    "103 first": b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + answer(),
    "102, 100, 103 first": b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nX: y\r\n\r\n" + answer(),
    "one length twice": answer(BODY, "200 OK", f"Content-Length: {len(BODY)}"),
    "one length twice in a line": answer(BODY, "200 OK", f"Content-Length: {len(BODY)}, {len(BODY)}", "Connection: keep-alive", length=None),
    "a length beside chunks": answer(chunked(BODY, 700), "200 OK", "Transfer-Encoding: chunked", length=3),
    "a chunk with an extension": answer(b"%x;name=value\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY), "200 OK", "Transfer-Encoding: chunked", length=None),
    "a length of no number": answer(BODY, "200 OK", "Content-Length: many", length=None),
    "gzip": answer(gzip.compress(BODY), "200 OK", "Content-Encoding: gzip"),
    "GZIP of two members": answer(gzip.compress(BODY[:99]) + gzip.compress(BODY[99:]), "200 OK", "Content-Encoding: X-GZip"),
    "gzip, padded": answer(gzip.compress(BODY) + b"\0" * 9, "200 OK", "Content-Encoding: gzip"),
    "gzip, chunked by bytes": answer(chunked(gzip.compress(BODY), 1), "200 OK", "Content-Encoding: gzip", "Transfer-Encoding: chunked", length=None),
    "gzip of gzip": answer(gzip.compress(gzip.compress(BODY)), "200 OK", "Content-Encoding: gzip, gzip"),
    "deflate": answer(zlib.compress(BODY), "200 OK", "Content-Encoding: deflate"),
    "deflate, bare": answer(deflated(BODY, -15), "200 OK", "Content-Encoding: deflate"),
    "identity": answer(BODY, "200 OK", "Content-Encoding: identity"),
}


@pytest.mark.parametrize("name", GOOD)
def test_answers_that_hold_the_file(name, server, tmp_path):
    server.answers["/a.tif"] = GOOD[name]
    assert got(server.url(), tmp_path) == BODY
    assert b"Accept-Encoding: identity" in server.asked[0]


def test_a_long_file_under_gzip_comes_out_whole(server, tmp_path):
    body = b"".join(bytes([i % 251]) * (i * 7 % 70_000) for i in range(60))
    server.answers["/a.tif"] = answer(gzip.compress(body), "200 OK", "Content-Encoding: gzip")
    assert got(server.url(), tmp_path, 10_000_000) == body


BAD = {
    "204": (answer(b"", "204 No Content"), "source.refused"),
    "202, not ready": (answer(BODY, "202 Accepted"), "source.unreachable"),
    "300": (answer(BODY, "300 Multiple Choices"), "source.refused"),
    "304": (answer(b"", "304 Not Modified"), "source.refused"),
    "403": (answer(b"no", "403 Forbidden"), "source.refused"),
    "429": (answer(b"no", "429 Too Many"), "source.unreachable"),
    "503": (answer(b"no", "503 Later"), "source.unreachable"),
    "206 of a part": (answer(BODY, "206 Partial Content", "Content-Range: bytes 0-99/9999"), "source.partial"),
    "206 of an end": (answer(BODY, "206 Partial Content", "Content-Range: bytes 9-99/100"), "source.partial"),
    "206 of who knows": (answer(BODY, "206 Partial Content", "Content-Range: bytes 0-99/*"), "source.partial"),
    "206 without a range": (answer(BODY, "206 Partial Content"), "source.partial"),
    "redirect to nowhere": (answer(b"", "302 Found"), "source.refused"),
    "redirect to nothing": (answer(b"", "302 Found", "Location:  "), "source.refused"),
    "too short": (answer(BODY, length=len(BODY) + 1), "source.unreachable"),
    "too long": (answer(b"", length=1_000_001), "source.too_large"),
    "too long, unsaid": (answer(b"x" * 1_000_001, length=None), "source.too_large"),
    "too long, in chunks": (answer(chunked(b"x" * 1_000_001, 9999), "200 OK", "Transfer-Encoding: chunked", length=None), "source.too_large"),
    "chunks cut off": (answer(chunked(BODY, 700)[:-50], "200 OK", "Transfer-Encoding: chunked", length=None), "source.unreachable"),
    "a chunk of no number": (answer(b"zz\r\nx", "200 OK", "Transfer-Encoding: chunked", length=None), "source.unreachable"),
    "two lengths": (answer(BODY, "200 OK", "Content-Length: 9"), "source.bad_answer"),
    "two lengths in a line": (answer(BODY, "200 OK", f"Content-Length: 9, {len(BODY)}", length=None), "source.bad_answer"),
    "101": (answer(b"", "101 Switching Protocols", "Upgrade: h2c"), "source.refused"),
    "http 2": (answer().replace(b"HTTP/1.1", b"HTTP/2"), "source.unreachable"),
    "http 0.9": (BODY, "source.unreachable"),
    "a chunk larger than any": (answer(b"f" * 30 + b"\r\nx", "200 OK", "Transfer-Encoding: chunked", length=None), "source.unreachable"),
    "a chunk to the end of all": (answer(b"-1\r\n" + b"x" * 3_000_000, "200 OK", "Transfer-Encoding: chunked", length=None), "source.unreachable"),
    "a chunk of less than nothing": (answer(b"-5\r\nx", "200 OK", "Transfer-Encoding: chunked", length=None), "source.unreachable"),
    "gzip bomb": (answer(gzip.compress(b"\0" * 50_000_000), "200 OK", "Content-Encoding: gzip"), "source.too_large"),
    "gzip bomb twice": (
        answer(gzip.compress(gzip.compress(b"\0" * 300_000_000)), "200 OK", "Content-Encoding: gzip, gzip"), "source.too_large",
    ),
    "deflate bomb": (answer(zlib.compress(b"\0" * 50_000_000), "200 OK", "Content-Encoding: deflate"), "source.too_large"),
    "gzip of many empty members": (answer(gzip.compress(b"") * 60_000, "200 OK", "Content-Encoding: gzip"), "source.too_large"),
    "gzip cut off": (answer(gzip.compress(BODY)[:-9], "200 OK", "Content-Encoding: gzip"), "source.unreachable"),
    "gzip of one byte": (answer(b"\x1f", "200 OK", "Content-Encoding: gzip"), "source.unreachable"),
    "gzip that is none": (answer(BODY, "200 OK", "Content-Encoding: gzip"), "source.bad_encoding"),
    "gzip, then more": (answer(gzip.compress(BODY) + b"more", "200 OK", "Content-Encoding: gzip"), "source.bad_encoding"),
    "gzip with a wrong checksum": (answer(gzip.compress(BODY)[:-8] + b"12345678", "200 OK", "Content-Encoding: gzip"), "source.bad_encoding"),
    "brotli": (answer(BODY, "200 OK", "Content-Encoding: br"), "source.bad_encoding"),
    "three codings": (answer(BODY, "200 OK", "Content-Encoding: gzip, gzip, gzip"), "source.bad_encoding"),
    "no http": (b"SSH-2.0-OpenSSH_9.2\r\n", "source.unreachable"),
    "nothing": (b"", "source.unreachable"),
    "endless header": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "source.unreachable"),
    "too many headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "source.unreachable"),
    "status of no number": (b"HTTP/1.1 abc OK\r\n\r\n", "source.unreachable"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_answers_that_do_not(name, server, tmp_path):
    server.answers["/a.tif"], code = BAD[name]
    with failing(code):
        got(server.url(), tmp_path)
    left = tmp_path / "got"
    assert not left.exists() or left.stat().st_size <= 1_000_000


# Time

def drip(head: bytes, one: bytes):
    def send(client) -> None:
        client.sendall(head)
        while True:
            client.sendall(one)
            time.sleep(0.05)

    return send


SLOW = {
    "body": drip(answer(b"", length=999_999), b"x"),
    "body in chunks": drip(answer(b"", "200 OK", "Transfer-Encoding: chunked", length=None), b"1\r\nx\r\n"),
    "gzip of nothing": drip(answer(b"", "200 OK", "Content-Encoding: gzip", length=None), gzip.compress(b"")),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X"),
    "status": drip(b"H", b"T"),
    "103 for ever": drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
    "headers of 103": drip(b"HTTP/1.1 103 Early Hints\r\n", b"X"),
    "100 for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": drip(answer(b"0\r\n", "200 OK", "Transfer-Encoding: chunked", length=None), b"X: y\r\n"),
    "silence": lambda client: time.sleep(3600),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_server_that_dawdles_does_not_outlast_the_download(name, server, tmp_path):
    server.answers["/a.tif"] = SLOW[name]
    # It never ends by itself: what is waited for is the bound.
    with failing("source.timeout"):
        got(server.url(), tmp_path, seconds=0.6)


def test_redirects_share_one_deadline(server, tmp_path):
    def later(client) -> None:
        time.sleep(0.3)
        client.sendall(answer(b"", "302 Found", "Location: /a.tif"))

    server.answers["/a.tif"] = later
    with failing("source.timeout"):
        got(server.url(), tmp_path, seconds=0.8)


# Redirects and names

@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_followed(status, server, tmp_path):
    server.answers |= {"/a.tif": answer(b"", status, "Location: b/../c.tif?x=1#y"), "/c.tif?x=1": answer()}
    assert got(server.url(), tmp_path) == BODY


def test_a_redirect_in_utf_8(server, tmp_path):
    server.answers |= {"/a.tif": answer(b"", "302 Found", "Location: /räume/日本 1.tif"), "/r%C3%A4ume/%E6%97%A5%E6%9C%AC%201.tif": answer()}
    assert got(server.url(), tmp_path) == BODY


def test_five_redirects_and_no_more(server, tmp_path):
    for i in range(6):
        server.answers[f"/{i}"] = answer(b"", "302 Found", f"Location: /{i + 1}")
    server.answers["/6"] = answer()
    assert got(server.url("/1"), tmp_path) == BODY
    with failing("source.refused", "redirects"):
        got(server.url("/0"), tmp_path)


HREFS = [
    "http://169.254.169.254/latest", "//10.0.0.1/a", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost:22/", "file:///etc/passwd",
    "ftp://host/a", "http://user@host/", "http://a..b/", "http://2130706433/", "https://[fd00:ec2::254]/", "gopher://127.0.0.1/", "data:,x",
    "http://127.0.0.1:6379/", "s3://bucket/key", "http://0/", "http://0x7f.0.0.1/", "http://[64:ff9b::a9fe:a9fe]/", "http://inside.example/",
    "\\\\127.0.0.1\\share", "http://１２７.0.0.1/", "http://127。0。0。1/", "http://rebinding.example:8080/", "///127.0.0.1/x", "http:/\t/127.0.0.1/",
]  # fmt: skip


@pytest.fixture
def names(monkeypatch, server):
    """public.example leads to the server (as if its address were public), each other name where it says."""
    where = {"public.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"], "rebinding.example": ["127.0.0.1"]}
    real = socket.getaddrinfo

    def lookup(host, port, **more):
        return [(0, 0, 0, "", (a, port)) for a in where[host]] if host in where else real(host, port, **more)

    monkeypatch.setattr(address.socket, "getaddrinfo", lookup)
    return where


@pytest.mark.parametrize("href", HREFS)
def test_a_redirect_inside_is_not_followed(href, server, tmp_path, monkeypatch, names):
    """The first hop is let through, so that only the check of the second one stands in the way."""
    opened, parse, resolve = [], connection.parse_url, connection.resolve
    monkeypatch.setattr(connection, "parse_url", lambda url, private: parse(url, private or "public.example" in url))
    monkeypatch.setattr(connection, "resolve", lambda t, private, d: resolve(t, private or t.host == "public.example", d))
    race = connection._race
    monkeypatch.setattr(connection, "_race", lambda a, port, d: opened.append((a, port)) or race(a, port, d))
    server.answers["/a.tif"] = answer(b"", "302 Found", f"Location: {href}")
    with pytest.raises(StepError) as failure:
        got(server.url(host="public.example"), tmp_path, private=False)
    assert failure.value.code in ("source.bad_url", "source.forbidden_host", "source.refused"), failure.value
    # A path on the same server that looks like a share is the server's own affair.
    assert {port for _, port in opened} == {server.port}, opened


def test_a_name_that_changes_its_mind_is_asked_once(server, tmp_path, monkeypatch):
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]])
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda host, port, **_: [(0, 0, 0, "", (a, port)) for a in next(answers)])
    server.answers["/a.tif"] = answer()
    assert got(server.url(host="changing.example"), tmp_path) == BODY
    assert f"Host: changing.example:{server.port}".encode() in server.asked[0]


@pytest.mark.parametrize("first", [["127.0.0.2"], ["::1"], ["127.0.0.3", "::1", "127.0.0.2"], ["fe80::1%1"]])
def test_an_address_that_refuses_gives_way_to_the_next(first, server, tmp_path, monkeypatch):
    """Nobody listens on the first ones; IPv6 may be missing altogether."""
    answers = [(0, 0, 0, "", (a, server.port, 0, 0) if ":" in a else (a, server.port)) for a in [*first, "127.0.0.1"]]
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: answers)
    server.answers["/a.tif"] = answer()
    assert got(server.url(host="two.example"), tmp_path) == BODY


def test_an_address_that_is_silent_does_not_hold_up_the_next(server, tmp_path, monkeypatch):
    full = socket.socket()  # its backlog is full: a connection is neither taken nor refused
    full.bind(("127.0.0.2", server.port))
    full.listen(0)
    held = [socket.socket() for _ in range(4)]
    for one in held:
        one.setblocking(False)
        one.connect_ex(("127.0.0.2", server.port))
    answers = [(0, 0, 0, "", (a, server.port)) for a in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: answers)
    server.answers["/a.tif"] = answer()
    assert got(server.url(host="two.example"), tmp_path, seconds=10) == BODY


def test_nobody_listens(tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with failing("source.unreachable", "127.0.0.1 does not answer"):
            got(f"http://127.0.0.1:{bound.getsockname()[1]}/", tmp_path)


def test_a_token_stays_with_its_host(server, tmp_path):
    other = Server()
    server.answers |= {"/a": answer(b"", "302 Found", "Location: /b"), "/b": answer(b"", "303 Other", f"Location: {other.url('/c')}")}
    other.answers["/c"] = answer(b"", "302 Found", f"Location: {server.url('/d')}")
    server.answers["/d"] = answer()
    end, _ = connection.request(server.url("/a"), True, time.monotonic() + 9, secret={"Authorization": "Bearer word"})
    end.close()
    assert [b"Bearer word" in head for head in server.asked] == [True, True, False]
    assert b"word" not in other.asked[0]


def test_a_connection_is_kept_for_more_requests(server):
    def twice(client) -> None:
        for _ in range(2):
            client.sendall(answer())
            server.asked.append(client.recv(65536))

    server.answers["/a.tif"] = twice
    kept, first = connection.request(server.url(), True, time.monotonic() + 9)
    assert first.read() == BODY and kept.get(kept.target, {"Range": "bytes=0-9"}).read() == BODY
    assert b"Range: bytes=0-9" in server.asked[1]
    kept.close()
