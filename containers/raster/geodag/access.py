"""Who may be asked for pixels, and with what: the secret file of a run, and the hosts of its catalogue row.

The file is JSON: ``bearer`` (host to token), ``sas`` (host suffix to token endpoint), ``signed`` (the
plan's href to a presigned URL). Nothing of it is ever logged, or stands in an error's message.
"""

from __future__ import annotations

import json
import os
import threading
from urllib.parse import quote, urlsplit

from geodag.address import Target, parse_url
from geodag.program import StepError

FILE = "/run/secrets/access.json"


def host_allowed(host: str, hosts: list[str]) -> bool:
    """Whether ``host`` is one of ``hosts`` or below one; an empty list allows every public host."""
    return not hosts or any(host == one or host.endswith(f".{one}") for one in hosts)


def _of_host(table: dict, host: str):
    """The entry of a host: by its whole name, or by a suffix that starts with a dot."""
    return table.get(host) or next((value for name, value in table.items() if name.startswith(".") and host.endswith(name)), None)


class Access:
    """What a run may ask, and how it says who it is. Safe for several threads."""

    def __init__(self, secret: dict, hosts: list[str], allow_private: bool) -> None:
        self.hosts, self.allow_private = hosts, allow_private
        self._bearer, self._sas, self._signed = secret.get("bearer", {}), secret.get("sas", {}), secret.get("signed", {})
        self._tokens: dict[tuple[str, str, str], str] = {}
        self._lock = threading.Lock()

    def target(self, href: str, ask) -> Target:
        """The checked, signed URL of an item's href; ``ask(url, headers)`` gives the bytes of a token endpoint.

        Fails with ``source.bad_url``, ``source.forbidden_host``, and as ``ask`` does.
        """
        if href in self._signed:
            return parse_url(self._signed[href], self.allow_private)
        if href.startswith("s3://"):
            raise StepError("source.bad_url", f"{href[:120]} is in a bucket that nobody signed for: give the catalogue's S3 credentials")
        target = self.check(parse_url(href, self.allow_private))
        rule = self._sas_of(target)
        if rule is None:
            return target
        token = self._token(rule, self._container(target), ask)
        return parse_url(f"{target.url}{'&' if '?' in target.path else '?'}{token}", self.allow_private)

    def check(self, target: Target) -> Target:
        """Refuses a host that the catalogue's row does not name. Fails with ``source.forbidden_host``, ``source.bad_url``."""
        if not host_allowed(target.host, self.hosts):
            raise StepError("source.forbidden_host", f"{target.host} is not a host of this catalogue: it may send to {', '.join(self.hosts)}")
        if target.scheme != "https" and not self.allow_private:
            raise StepError("source.bad_url", f"{target.host} is named with http: items are read by https")
        return target

    def headers(self, target: Target) -> dict[str, str]:
        """``Authorization`` where the host has a token and the way there is encrypted."""
        token = _of_host(self._bearer, target.host)
        safe = target.scheme == "https" or self.allow_private
        return {"Authorization": f"Bearer {token}"} if token and safe else {}

    def signs(self, href: str) -> bool:
        """Whether a 403 may be cured by a new token."""
        return href not in self._signed and href.startswith("http") and self._sas_of(parse_url(href, self.allow_private)) is not None

    def renew(self, href: str) -> None:
        """Forgets the token of an href that the server no longer takes."""
        with self._lock:
            self._tokens.pop(self._container(parse_url(href, self.allow_private)), None)

    def _sas_of(self, target: Target) -> dict | None:
        return None if "sig=" in urlsplit(target.url).query else _of_host(self._sas, target.host)

    @staticmethod
    def _container(target: Target) -> tuple[str, str, str]:
        return target.authority, target.host.split(".")[0], target.path.split("/")[1]

    def _token(self, rule: dict, container: tuple[str, str, str], ask) -> str:
        with self._lock:
            if container not in self._tokens:
                url = f"{rule['endpoint']}/{quote(container[1], safe='')}/{quote(container[2], safe='')}"
                answer = ask(url, {"Ocp-Apim-Subscription-Key": rule["key"]} if rule.get("key") else {})
                try:
                    self._tokens[container] = str(json.loads(answer)["token"])
                except (ValueError, KeyError, TypeError) as failure:
                    raise StepError("source.unauthorized", f"the token endpoint for {container[0]} gave no token: try again later") from failure
            return self._tokens[container]


def secret_of() -> dict:
    """The secret file's JSON; nothing where the run has none. Fails with ``source.bad_access``."""
    path = FILE
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as failure:
        raise StepError("source.bad_access", "the access file of this run cannot be read: see to the catalogue's credentials") from failure
