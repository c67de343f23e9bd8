"""Damaged and nonsensical variants of valid files, drawn by a seeded generator."""

import json
import random
from copy import deepcopy
from typing import Any

DIGITS, NESTED = "@digits@", "@nested@"  # stand for what json.dumps cannot write
WRITTEN = {f'"{DIGITS}"': "9" * 5000, f'"{NESTED}"': "[" * 3000 + "]" * 3000}
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 1e308, 10**12, -(10**12), 2**63, 10**30, 10**400, float("nan"), float("inf")),
    *("", " ", "\0", "\x1b[31m", "a\nb", "x" * 300, "../x", "a/b", "{x}", "1e400", "inf", "nan", "true", "null", "-1"),
    *("010", "12:30:45", "2026-01-01", "\ud800", "\u202e", "日本", "[" * 200, "[1, ", "&a [*a]", "9" * 5000),
    *([], {}, [[]], [None], {"": {}}, {"a": {"b": [{}]}}, [1] * 300, DIGITS, NESTED),
)
BYTES = (b"\0", b"\xff", b"\x1b", b"[", b"{", b"}", b'"', b"\n", b":", b",", b"- ", b"&a ", b"*a", b"!!int ", b"\t")


def mutated(rng: random.Random, content: Any) -> str:
    """Return JSON text of content in which one to three places were changed."""
    changed = {"": deepcopy(content)}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if places := _places(changed):
            _change(rng, *rng.choice(places))
    text = json.dumps(changed.get(""), indent=2)
    for placeholder, written in WRITTEN.items():
        text = text.replace(placeholder, written)
    return text


def scrambled(rng: random.Random, content: bytes) -> bytes:
    """Return bytes that were cut off, or in which some bytes or lines were changed, removed, inserted or repeated."""
    if rng.random() < 0.2:
        return content[: rng.randrange(len(content) + 1)]
    for _ in range(rng.choice((1, 1, 2, 5))):
        if rng.random() < 0.3:
            lines = content.splitlines(keepends=True) or [b""]
            at = rng.randrange(len(lines))
            lines[at:at] = rng.choice(([lines[at]], [rng.choice(lines)], [rng.choice(BYTES) * rng.choice((1, 300))]))
            content = b"".join(lines)
            continue
        start = rng.randrange(len(content) + 1)
        stop = min(len(content), start + rng.choice((0, 1, 1, 8)))
        new = rng.choice((b"", rng.choice(BYTES), bytes([rng.randrange(256)]), b"9" * rng.choice((1, 20, 400))))
        content = content[:start] + new + content[stop:]
    return content


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Return each list and mapping with each of its keys."""
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))
    else:
        return []
    return [(content, key) for key, _ in items] + [place for _, value in items for place in _places(value)]


def _change(rng: random.Random, parent: Any, key: Any) -> None:
    kind = rng.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[rng.choice(("", "\x1b[2J", "x" * 300, "NaN", f"{key}s"))] = parent.pop(key)
    elif kind == 2:
        parent[key] = rng.choice(([parent[key]], {"a": parent[key]}, str(parent[key]), [parent[key]] * 300))
    else:
        parent[key] = deepcopy(rng.choice(STRANGE))
