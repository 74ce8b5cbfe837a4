"""vLLM's pooling API: one POST, tried again where it may pass, and its answer checked."""

from __future__ import annotations

import http.client
import json
import time

from geodag.address import Target, parse_url
from geodag.connection import connect
from geodag.program import StepError

TRIES = 4
# A server that starts (KServe from zero), is busy, or stands behind a proxy that lost it; too early, too many.
PASSING = (408, 425, 429, 500, 502, 503, 504)
MAX_PAUSE = 60
# Of the connection's own failures; what is not here may pass.
NAMES = {
    "source.bad_url": "model.server_url",
    "source.forbidden_host": "model.server_forbidden",
    "source.bad_certificate": "model.server_certificate",
}


class _Passing(Exception):
    """A try that failed and may be followed by another, after ``pause`` seconds where the server says so."""

    def __init__(self, error: StepError, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.pause = error, pause


class Server:
    """A model server at a checked address. ``deadline`` (of ``time.monotonic``) bounds all tries together."""

    def __init__(self, url: str, secrets, allow_private: bool, deadline: float, log) -> None:
        try:
            self.target: Target = parse_url(url, allow_private)
        except StepError as failure:
            raise StepError(NAMES[failure.code], f"model_url: {failure}") from failure
        self.token = secrets.token(url)
        self.allow_private, self.deadline, self.log, self.tries = allow_private, deadline, log, 0

    def predict(self, model: str, data: dict, seconds: float, pause: float, most: int) -> dict:
        """What the plugin gives (``data`` of the answer), at most ``most`` bytes of JSON.

        Fails with ``model.server_forbidden``, ``_certificate``, ``_unreachable``, ``_timeout``, ``_failed``,
        ``_unauthorized``, ``_not_found``, ``_refused``, ``_too_large``, ``_bad_answer``.
        """
        body = json.dumps({"model": model, "data": data}).encode()
        while True:
            self.tries += 1
            try:
                return self._answer(self._post(body, seconds, most), most)
            except _Passing as failure:
                wait = min(MAX_PAUSE, failure.pause if failure.pause is not None else pause * 2 ** (self.tries - 1))
                # A model that was too slow twice is too slow.
                over = self.tries >= (2 if failure.error.code == "model.server_timeout" else TRIES)
                if over or time.monotonic() + wait > self.deadline:
                    raise StepError(failure.error.code, f"{failure.error} ({self.tries} tries)") from failure
                self.log(f"try {self.tries}: {failure.error}; again in {wait:g} s")
                time.sleep(wait)

    def _post(self, body: bytes, seconds: float, most: int) -> tuple[http.client.HTTPResponse, bytes]:
        host, ends = self.target.host, min(self.deadline, time.monotonic() + seconds)
        headers = {"Host": self.target.authority, "User-Agent": "geodag", "Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection = connect(self.target, self.allow_private, ends)
            # It computes for as long as it may before it says a word.
            connection.idle = seconds
            try:
                connection.request("POST", self.target.path, body=body, headers=headers)
                answer = connection.getresponse()
                return answer, _read(answer, most)
            finally:
                connection.close()
        except StepError as failure:
            if failure.code in NAMES:
                raise StepError(NAMES[failure.code], f"model_url: {failure}") from failure
            if failure.code == "source.timeout":
                raise _Passing(self._slow(seconds)) from failure
            if failure.code.startswith("model."):
                raise
            raise _Passing(StepError("model.server_unreachable", f"model_url: {failure}")) from failure
        except TimeoutError as failure:
            raise _Passing(self._slow(seconds)) from failure
        except (OSError, http.client.HTTPException) as failure:
            said = str(failure) or type(failure).__name__
            raise _Passing(StepError("model.server_unreachable", f"model_url: {host} broke off: {said}")) from failure

    def _slow(self, seconds: float) -> StepError:
        return StepError(
            "model.server_timeout",
            f"model_url: {self.target.host} took longer than {seconds:g} s: ask for a smaller area, or set inference.timeout_seconds",
        )

    def _answer(self, got: tuple[http.client.HTTPResponse, bytes], most: int) -> dict:
        answer, text = got
        if answer.status != 200:
            raise self._refusal(answer, _said(text))
        try:
            data = json.loads(text)["data"]
            if not isinstance(data["data_format"], str) or not isinstance(data["data"], str):
                raise TypeError("data_format and data are no text")
        except (ValueError, KeyError, TypeError) as failure:
            raise StepError(
                "model.server_bad_answer",
                f"model_url: {self.target.host} answers no prediction ({type(failure).__name__}: {str(failure)[:200]}): "
                "give the /pooling address of a vLLM server with an --io-processor-plugin that gives a GeoTIFF",
            ) from failure
        return data

    def _refusal(self, answer: http.client.HTTPResponse, said: str) -> Exception:
        status, host = answer.status, self.target.host
        told = f"model_url: {host} answered {status}{f': {said}' if said else ''}"
        if status in PASSING:
            code = "model.server_failed" if status == 500 else "model.server_unreachable"
            return _Passing(StepError(code, f"{told}: see the server's log"), _retry_after(answer))
        if status in (401, 403):
            return StepError("model.server_unauthorized", f"{told}: the operator sets a token for this server (MODEL_SERVERS)")
        if status == 404:
            return StepError("model.server_not_found", f"{told}: check the path of model_url, and inference.served_model")
        if status == 413:
            return StepError("model.server_too_large", f"{told}: use an object store that the server reaches, or a smaller area")
        if 300 <= status < 400:
            return StepError("model.server_refused", f"{told}: it redirects; give model_url as the address that it leads to")
        return StepError("model.server_refused", f"{told}: check the bands of model_input_data_spec and inference.data_format")


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    text = answer.read(most + 1)
    if len(text) > most:
        raise StepError("model.server_bad_answer", f"the model server's answer has more than {most} bytes, more than a prediction of the scene can have")
    if answer.length:  # http.client says nothing of a body that ends early
        raise http.client.IncompleteRead(text, answer.length)
    return text


def _said(text: bytes) -> str:
    """The message of vLLM's error, in the shape of OpenAI's or of FastAPI's, at most 300 characters."""
    try:
        read = json.loads(text)
        found = read.get("error", read)
        said = found.get("message") or found.get("detail") if isinstance(found, dict) else found
    except (ValueError, AttributeError):
        said = text.decode("utf-8", "replace")
    return " ".join(str(said or "").split())[:300]


def _retry_after(answer: http.client.HTTPResponse) -> float | None:
    said = (answer.getheader("Retry-After") or "").strip()
    return float(said) if said.isdigit() else None
