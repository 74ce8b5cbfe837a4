"""Weights that a stranger serves or packs: brought within bounds, or refused by a code of the model."""

import hashlib
import importlib.util
import json
import os
import socket
import sys
import threading
import time

import pytest

from geodag.program import StepError

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../containers/raster/geodag/weights.py")


@pytest.fixture
def weights(monkeypatch):
    spec = importlib.util.spec_from_file_location("weights", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve(answer) -> str:
    """The URL of a server that leaves one client to ``answer``."""
    listening = socket.create_server(("127.0.0.1", 0))

    def once() -> None:
        client, _ = listening.accept()
        with client, listening:
            client.recv(65536)
            try:
                answer(client)
            except OSError:
                pass

    threading.Thread(target=once, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/m.onnx"


def brought(weights, monkeypatch, folder, url: str, sha256: str = "0" * 64, private: bool = True) -> None:
    wanted = {"url": url, "sha256": sha256, "allow_private_hosts": private}
    monkeypatch.setattr(sys, "argv", ["weights.py", json.dumps(wanted), str(folder)])
    try:
        weights.main()
    finally:
        weights.signal.alarm(0)


def test_a_byte_now_and_then_does_not_outlast_the_bound(weights, monkeypatch, tmp_path):
    def drip(client) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            client.sendall(b"x")
            time.sleep(0.05)

    monkeypatch.setattr(weights, "MAX_SECONDS", 0.5)
    with pytest.raises(StepError) as failure:
        brought(weights, monkeypatch, tmp_path, serve(drip))
    assert failure.value.code == "model.unreachable" and "inference.weights.url" in str(failure.value)


def test_the_alarm_ends_what_the_download_does_not(weights, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "MAX_SECONDS", 1)
    monkeypatch.setattr(weights, "MORE_SECONDS", 0)
    monkeypatch.setattr(weights, "fetch", lambda *_: time.sleep(20))
    with pytest.raises(StepError) as failure:
        brought(weights, monkeypatch, tmp_path, "http://127.0.0.1/")
    assert failure.value.code == "model.unreachable"


def test_more_bytes_than_weights_may_have(weights, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "MAX_BYTES", 10)
    with pytest.raises(StepError) as failure:
        brought(weights, monkeypatch, tmp_path, serve(lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 99)))
    assert failure.value.code == "model.refused"


def test_a_host_that_is_not_public(weights, monkeypatch, tmp_path):
    with pytest.raises(StepError) as failure:
        brought(weights, monkeypatch, tmp_path, "http://169.254.169.254/m.onnx", private=False)
    assert failure.value.code == "model.refused"


def test_the_right_ones_are_kept_and_others_named(weights, monkeypatch, tmp_path):
    body, sent = b"onnx" * 99, lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"onnx" * 99)
    brought(weights, monkeypatch, tmp_path, serve(sent), hashlib.sha256(body).hexdigest())
    assert (tmp_path / "model.onnx").read_bytes() == body
    with pytest.raises(StepError) as failure:
        brought(weights, monkeypatch, tmp_path, serve(sent))
    assert failure.value.code == "model.bad_weights"
