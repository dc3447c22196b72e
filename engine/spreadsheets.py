"""What a spreadsheet would execute when it opens a CSV of ours, and how such a field is made text instead."""

from typing import Final

_EXECUTED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, the full-width forms too."""


def as_text(field: str) -> str:
    """The field, behind an apostrophe where a spreadsheet would execute it; spaces before a formula do not stop one."""
    return f"'{field}" if field.lstrip(" ").startswith(_EXECUTED) else field
