"""A strict little file server for the tests: ranges only as RFC 9110 14 says, and a log of what was asked."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RangeServer:
    """Serves ``files`` (path to bytes) by range. ``log`` holds (path, first, last) of each answer with bytes.

    ``before(handler, path)`` may answer itself, and then returns True.
    """

    def __init__(self) -> None:
        self.files, self.log, self.seen, self.before = {}, [], [], lambda handler, path: False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 30

            def say(self, status: int, body: bytes = b"", **headers) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                outer.seen.append((self.path, dict(self.headers)))
                if outer.before(self, path):
                    return
                data, asked = outer.files.get(path), re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
                if data is None or not asked:
                    return self.say(404 if data is None else 400)
                first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
                if first > last:
                    return self.say(416, Content_Range=f"bytes */{len(data)}")
                outer.log.append((path, first, last))
                self.say(206, data[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}", ETag=f'"{len(data)}"')

            def do_POST(self) -> None:
                self.body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, dict(self.headers)))
                if not outer.before(self, self.path):
                    self.say(404)

            def log_message(self, *_said) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_client: None  # clients hang up
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def asked(self, path: str | None = None) -> int:
        """Bytes that were sent, of one file or of all."""
        return sum(last - first + 1 for name, first, last in self.log if path in (None, name))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
