"""A stand-in for vLLM with TerraTorch's segmentation plugin, as strict as their types, over real sockets.

From vLLM's ``entrypoints/pooling/pooling/protocol.py`` and ``entrypoints/openai`` (``IOProcessorRequest``: ``data``
and ``model``, unknown models 404, wrong bodies 400, ``--api-key`` 401, all errors ``{"error": {"message", "type",
"param", "code"}}``), and TerraTorch 1.2's ``vllm/plugins/segmentation`` (``RequestData``: ``data_format`` path or url,
``out_data_format`` b64_json or path, ``indices``; six bands where none are named; class times 255 as a byte, nodata 0).
"""

import base64
import json
import re
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
from rasterio.io import MemoryFile


def water(image: numpy.ndarray) -> numpy.ndarray:
    """Classes 0, 1, 2 of [band, row, column]: by the first band alone, so that a test knows them."""
    return numpy.digitize(image[0], [0.10005, 0.20005])  # no pixel of the test lies on an edge


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Pooling(ThreadingHTTPServer):
    """``script`` holds what is answered before the model itself: (status, headers, body), or a function of the handler."""

    daemon_threads = True

    def __init__(self, model: str = "m-1", key: str = "", out: str = "b64_json") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.model, self.key, self.out = model, key, out
        self.script, self.asked, self.dates, self.indices, self.headers = [], [], [], [], []
        self.files: dict[str, bytes] = {}
        self.predict = water
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str = "/pooling") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def answer(self, body: bytes, authorization: str) -> dict:
        if self.key and authorization != f"Bearer {self.key}":
            raise Refused(401, "Unauthorized")
        try:
            request = json.loads(body)
        except ValueError as failure:
            raise Refused(400, "JSON decode error") from failure
        if request.get("model") not in (None, self.model):
            raise Refused(404, f"The model `{request['model']}` does not exist.")
        data = request.get("data")
        if not isinstance(data, dict):
            raise Refused(400, "Unable to parse the request data")
        if data.get("data_format") not in ("path", "url") or data.get("out_data_format") not in ("b64_json", "path"):
            raise Refused(400, "validation errors for RequestData: Input should be 'path' or 'url'")
        indices = data.get("indices")
        if not (indices is None or isinstance(indices, list) and all(isinstance(i, int) for i in indices)):
            raise Refused(400, "1 validation error for RequestData: indices")
        self.indices.append(indices)
        return {"request_id": "pool-1", "created_at": int(time.time()), "data": self._predicted(data)}

    def _predicted(self, data: dict) -> dict:
        several = isinstance(data["data"], dict)
        urls = list(data["data"].values()) if several else [data["data"]]
        images = []
        for url in urls:
            found = re.search(r"(\d{7,8}T\d{6})", url)
            self.dates.append(found and found[1])
            with urllib.request.urlopen(url) as response, MemoryFile(response.read()) as file, file.open() as raster:
                images.append(raster.read())
                meta = raster.meta
        image = images[0] if several else images[0][data.get("indices") or [0, 1, 2, 3, 4, 5]]
        classes = self.predict(image)
        made = (classes.astype("float64") * 255).astype("int64").astype("uint8") if classes.dtype.kind == "i" else classes
        meta.update(count=1, dtype=made.dtype.name, nodata=0 if made.dtype == "uint8" else -9999, driver="GTiff", height=made.shape[0], width=made.shape[1])
        with MemoryFile() as file:
            with file.open(**meta) as out:
                out.write(made, 1)
            pixels = file.read()
        if self.out == "url":
            self.files["/made.tif"] = pixels
            return {"data_format": "url", "data": self.url("/made.tif"), "request_id": "pool-1"}
        return {"data_format": self.out, "data": base64.b64encode(pixels).decode(), "request_id": "pool-1"}


class Handler(BaseHTTPRequestHandler):
    server: Pooling

    def log_message(self, *_) -> None:
        pass

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.server.files[self.path.split("?")[0]] = self._body()
        self._send(200, b"")

    def do_GET(self) -> None:
        found = self.server.files.get(self.path.split("?")[0])
        self._send(200 if found is not None else 404, found or b"")

    def do_POST(self) -> None:
        body = self._body()
        self.server.asked.append(body)
        if self.server.script:
            step = self.server.script.pop(0)
            return step(self) if callable(step) else self._send(step[0], step[2], step[1])
        if self.path != "/pooling":
            return self._send(404, b'{"detail":"Not Found"}')
        try:
            self._send(200, json.dumps(self.server.answer(body, self.headers.get("Authorization", ""))).encode())
        except Refused as failure:
            error = {"message": str(failure), "type": "BadRequestError", "param": None, "code": failure.status}
            self._send(failure.status, json.dumps({"error": error}).encode())
        except Exception as failure:  # as vLLM: what a plugin throws is a 500
            self._send(500, json.dumps({"error": {"message": f"{type(failure).__name__}: {failure}", "code": 500}}).encode())
