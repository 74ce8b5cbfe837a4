"""What a request says of the model's inputs: signed URLs, or the pixels themselves."""

from __future__ import annotations

import base64
import http.client
import json
import os
from dataclasses import dataclass

from geodag.address import parse_url
from geodag.connection import connect
from geodag.program import StepError

FILE = "/run/secrets/server.json"
# A request of more is refused by many a proxy, and is held in memory by the server several times.
MAX_INLINE = 256_000_000


@dataclass(frozen=True)
class Given:
    """One input: its name where the model takes several, its file, its bands."""

    name: str | None
    path: str
    bands: int


class Secrets:
    """Signed URLs of this task's uploads and the tokens of servers, from the secret file; none where it is not there."""

    def __init__(self) -> None:
        self.uploads, self._tokens = {}, {}
        if os.path.exists(FILE):
            with open(FILE, encoding="utf-8") as file:
                read = json.load(file)
            self.uploads, self._tokens = read.get("uploads", {}), read.get("tokens", {})

    def token(self, url: str) -> str:
        """The bearer token of the URL's own origin, or ''."""
        target = parse_url(url, True)
        return self._tokens.get(f"{target.scheme}://{target.authority}", "")


def request_data(given: list[Given], p: dict, secrets: Secrets, deadline: float, log) -> dict:
    """The ``data`` of the request: TerraTorch's plugins read ``data_format``, ``out_data_format``, ``data``, ``indices``.

    Several inputs go as an object of name to URL. Fails with ``model.server_needs_store``, ``model.server_too_large``,
    ``model.server_store``.
    """
    kind, names = p["data_format"], p.get("uploads") or []
    signed = kind == "url" and len(names) == len(given) and all(name in secrets.uploads for name in names)
    if len(given) > 1 and not signed:
        raise StepError(
            "model.server_needs_store",
            "a model of several inputs reads them by URL: run it by the API with an object store that the server reaches (S3_ENDPOINT, PUBLIC_URL)",
        )
    if signed:
        values = [_put(one, secrets.uploads[name], deadline, log) for one, name in zip(given, names)]
    else:
        values = [_inline(given[0], kind, p.get("date"))]
        log(f"{os.path.getsize(given[0].path)} bytes go within the request")
    common = {"data_format": kind, "out_data_format": p["out_data_format"], "image_format": "tiff", **(p.get("request") or {})}
    if len(given) > 1:
        return {**common, "data": {one.name: value for one, value in zip(given, values)}}
    # Without, TerraTorch takes the first six bands of any file.
    return {"indices": list(range(given[0].bands)), **common, "data": values[0]}


def _inline(one: Given, kind: str, date: str | None) -> str:
    """Base64 as it is, or as a data: URL (RFC 2397), which Python's urllib opens as any other."""
    size = os.path.getsize(one.path)
    if size > MAX_INLINE:
        raise StepError(
            "model.server_too_large",
            f"the model input has {size} bytes, at most {MAX_INLINE} go within a request: use an object store that the server reaches, or a smaller area",
        )
    with open(one.path, "rb") as file:
        text = base64.b64encode(file.read()).decode("ascii")
    if kind == "b64_json":
        return text
    name = f";name=scene_{date.replace('-', '')}T000000.tif" if date else ""
    return f"data:image/tiff{name};base64,{text}"


def _put(one: Given, signed: dict, deadline: float, log) -> str:
    """Uploads the input to the operator's own store, whose address may be private. Fails with ``model.server_store``."""
    size = os.path.getsize(one.path)
    target = parse_url(signed["put"], True)
    try:
        connection = connect(target, True, deadline)
        try:
            with open(one.path, "rb") as file:
                connection.request("PUT", target.path, body=file, headers={"Host": target.authority, "Content-Length": str(size)})
                answer = connection.getresponse()
                answer.read(4096)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, StepError) as failure:
        raise StepError("model.server_store", f"the object store at {target.host} did not take the model input ({failure}): try again later") from failure
    if answer.status not in (200, 201, 204):
        raise StepError("model.server_store", f"the object store at {target.host} answered {answer.status} to the model input: see to its account")
    log(f"{size} bytes of {one.name or 'the model input'} are in the object store")
    return signed["get"]
