"""Values of strangers as JSON that every reader takes: a parser, JavaScript's numbers, Postgres' jsonb."""

import math
import re

DEEPEST, MOST = 32, 10_000
EXACT = 2**53  # beyond it a double is not every integer (RFC 8259, section 6)


def text(value: str) -> str:
    """Without NUL and lone surrogates, which jsonb refuses."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)


def plain(value, depth: int = 0, room: list[int] | None = None):
    """A copy of ``value``: NaN, infinities and huge integers as text, what is too deep or too much as ``"..."``."""
    room = [MOST] if room is None else room
    room[0] -= 1
    if depth > DEEPEST or room[0] < 0:
        return "..."
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int):
        return value if abs(value) <= EXACT else str(value) if value.bit_length() < 4000 else "..."
    if isinstance(value, dict):
        return {text(str(key)): plain(one, depth + 1, room) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, depth + 1, room) for one in value]
    return text(str(value))
