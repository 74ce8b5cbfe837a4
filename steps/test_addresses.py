"""Hosts of URLs that a stranger wrote (containers/raster/geodag/address.py): none that is not public is reached."""

import socket

import pytest

from geodag import address
from geodag.address import is_public, parse_url, resolve
from geodag.program import StepError

# One of each block that is not public, by itself and in every form that carries an IPv4 address.
PRIVATE_4 = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
]  # fmt: skip
PRIVATE_6 = [
    "::", "::1", "fe80::1", "fe80::1%1", "febf::1", "fec0::1", "feff::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "3ffe::1",
    "5f00::1", "64:ff9b:1::808:808", "64:ff9b:1:a00:1::", "4000::1", "0:1::1", "::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b:0:1::808:808",
    "2606:4700::300:5efe:a00:1", "2002:c0a8:101::1", "2002:a9fe:a9fe::", "fd20:ce::254", "ff05::2", "2001:4:112::1",
]  # fmt: skip
FORMS = ["::ffff:{}", "::{}", "::ffff:0:{}", "64:ff9b::{}", "2606:4700::5efe:{}", "2606:4700::200:5efe:{}"]
PUBLIC = [
    "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111",
    "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::5efe:8.8.8.8", "2001:200::1",
]  # fmt: skip


def embedded() -> list[str]:
    found = [form.format(private) for form in FORMS for private in PRIVATE_4]
    for private in PRIVATE_4:
        a, b, c, d = map(int, private.split("."))
        found.append(f"2002:{a << 8 | b:x}:{c << 8 | d:x}::1")
    return found


@pytest.mark.parametrize("text", PRIVATE_4 + PRIVATE_6 + embedded())
def test_an_address_that_is_not_public_is_refused(text, monkeypatch):
    assert not is_public(text)
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    answer = [(socket.AF_INET, 1, 6, "", ("8.8.8.8", 80)), (family, 1, 6, "", (text, 80) if family == socket.AF_INET else (text, 80, 0, 0))]
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(StepError) as failure:
        resolve(parse_url("http://name.example/"))
    assert failure.value.code == "source.forbidden_host"
    if "%" not in text:
        literal = f"[{text}]" if ":" in text else text
        monkeypatch.undo()
        with pytest.raises(StepError) as failure:
            resolve(parse_url(f"http://{literal}/a.tif"))
        assert failure.value.code == "source.forbidden_host"


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_taken(text):
    assert is_public(text)


@pytest.mark.parametrize(
    "url",
    [
        "", "a.tif", "//host/a.tif", "file:///etc/passwd", "ftp://host/a", "s3://bucket/a", "gopher://host/", "/vsicurl/http://host/a.tif",
        "http:///a.tif", "http://", "https://?a", "http://a..b/", "http://.a/", "http://a../", "http://-a.b/", "http://a-.b/",
        f"http://{'a' * 64}.org/", f"http://{'a.' * 130}org/", "http://user@host/", "http://user:word@host/", "http://@host/",
        "http://good.org@127.0.0.1/", "http://good.org\\@127.0.0.1/", "http://127.0.0.1\\.good.org/", "http://a b/", "http://a%20b/",
        "http://%31%32%37.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
        "http://127.0.0.1.5/", "http://1.2.3.0x4/", "http://256.1.1.1/", "http://[::1/", "http://::1/", "http://[::1%25lo]/", "http://[::1%lo]/",
        "http://[::1]x/", "http://x[::1]/", "http://[v1.a]/", "http://[127.0.0.1]/", "http://host:abc/", "http://host:99999/", "http://host:-1/",
        "http://host/\r\nX: y", "http://ho\tst/", "http://host/\0", "http://host\x7f/", "http://\u2100host/", "http://\ud800.org/",
        "http://\u200d.org/", "http://xn--\u00e9.org/", "http://" + "a" * 9000, "http://host:80:80/", "http://a,b/", "http://a_b!/",
        "http://host#@127.0.0.1:22/..\\",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_public_file_is_refused_before_a_look_up(url, monkeypatch):
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked up"))
    with pytest.raises(StepError) as failure:
        parse_url(url)
    assert failure.value.code == "source.bad_url" and "word" not in str(failure.value)


@pytest.mark.parametrize("port", [0, 1, 22, 25, 2375, 3306, 5432, 6379, 9200, 65535])
def test_a_port_that_serves_something_else_is_refused(port):
    with pytest.raises(StepError) as failure:
        parse_url(f"http://host.org:{port}/")
    assert failure.value.code == "source.forbidden_host"


@pytest.mark.parametrize(
    "url, host, full",
    [
        ("https://Bücher.example/ä b.tif?q=ü&s=a%2Fb#x", "xn--bcher-kva.example", "https://xn--bcher-kva.example/%C3%A4%20b.tif?q=%C3%BC&s=a%2Fb"),
        ("http://例え.テスト/", "xn--r8jz45g.xn--zckzah", "http://xn--r8jz45g.xn--zckzah/"),
        ("http://почта.рф:8080/a", "xn--80a1acny.xn--p1ai", "http://xn--80a1acny.xn--p1ai:8080/a"),
        ("http://faß.de/", "xn--fa-hia.de", "http://xn--fa-hia.de/"),
        ("HTTPS://Example.ORG.:443", "example.org", "https://example.org/"),
        ("http://a_b.example/?x", "a_b.example", "http://a_b.example/?x"),
        ("http://[2606:4700::1111]:8443/x", "2606:4700::1111", "http://[2606:4700::1111]:8443/x"),
        ("http://８.８.８.８/", "8.8.8.8", "http://8.8.8.8/"),
        ("http://host:/a;b,c", "host", "http://host/a;b,c"),
    ],
)  # fmt: skip
def test_hosts_of_every_script(url, host, full):
    target = parse_url(url)
    assert (target.host, target.url) == (host, full)


@pytest.mark.parametrize(
    "found, order",
    [
        (["2606::1", "2606::2", "2606::3", "54.1.1.1", "54.1.1.2"], ["2606::1", "54.1.1.1", "2606::2", "54.1.1.2", "2606::3"]),
        (["54.1.1.1", "54.1.1.2", "54.1.1.3", "2606::1"], ["54.1.1.1", "2606::1", "54.1.1.2", "54.1.1.3"]),
        (["54.1.1.1", "54.1.1.1"], ["54.1.1.1"]),
    ],
)
def test_all_addresses_in_the_order_of_rfc_8305(found, order, monkeypatch):
    answer = [(0, 0, 0, "", (a, 80, 0, 0) if ":" in a else (a, 80)) for a in found]
    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: answer)
    assert resolve(parse_url("http://host.org/")) == order


def test_a_resolver_that_never_answers(monkeypatch):
    import threading
    import time

    monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: threading.Event().wait(30))
    with pytest.raises(StepError) as failure:
        resolve(parse_url("http://host.org/"), deadline=time.monotonic() + 0.2)
    assert failure.value.code == "source.unreachable"
