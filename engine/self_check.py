"""What is configured and whether it answers, as a table for a person; secrets are never shown."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import urlsplit

from engine.errors import Refusal
from engine.persistence.database import DatabaseError, told
from engine.settings import Settings

ANSWER_LIMIT_S: Final = 5.0
PATHS_HIDDEN: Final = ("http", "https", "ws", "wss")
"""Solana nodes for hire have their key in the path."""

HIDDEN: Final = "(set, not shown)"


@dataclass(frozen=True, slots=True)
class Part:
    """Something behind the process: the setting that names it, where it is, and how it is asked, if it can be."""

    name: str
    setting: str
    where: str
    ask: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of asking: how long it took, or why there is none."""

    part: Part
    words: str
    is_missing: bool


async def ask(parts: Sequence[Part]) -> list[Answer]:
    """Ask all of them at once, each for five seconds at most."""
    return list(await asyncio.gather(*map(_ask, parts)))


async def _ask(part: Part) -> Answer:
    if part.ask is None:
        return Answer(part, "of this process's own", False)
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            await part.ask()
    except TimeoutError:
        return Answer(part, f"MISSING: no answer in {ANSWER_LIMIT_S:.0f} s", True)
    except DatabaseError as error:
        return Answer(part, f"MISSING: {told(error)}", True)
    except (Refusal, OSError) as error:
        return Answer(part, f"MISSING: {' '.join(str(error).split())[:200]}", True)
    return Answer(part, f"answers in {(time.monotonic() - began_s) * 1000:.0f} ms", False)


def table(answers: Sequence[Answer], settings: Settings) -> str:
    """The parts, then every setting that is not the default."""
    rows = [("part", "setting", "where", "state")]
    rows += [(each.part.name, each.part.setting, each.part.where, each.words) for each in answers]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    changed = configured(settings)
    return "\n".join([*lines, "", *(f"{name}={value}" for name, value in changed.items()), ""])


def configured(settings: Settings) -> dict[str, str]:
    """The settings that are not the default, by variable; a secret only says that it is set."""
    found: dict[str, str] = {}
    for each in fields(Settings):
        value = getattr(settings, each.name)
        if value != each.default:
            found[f"BLITZ_{each.name.upper()}"] = masked(str(value)) if each.repr else HIDDEN
    return found


def masked(value: str) -> str:
    """A URL without what may hold a secret: user, password, query, and over HTTP the path; other text as it is."""
    if "://" not in value:
        return value
    return ", ".join(" ".join(map(_masked_url, pair.split())) for pair in value.split(","))


def _masked_url(url: str) -> str:
    address = urlsplit(url)
    host = address.netloc.rpartition("@")[2]
    if not address.netloc:
        return url.partition("?")[0]
    return f"{address.scheme}://{host}" + ("" if address.scheme in PATHS_HIDDEN else address.path)
