"""Text from outside (files, ports, file names) on its way to a terminal: data, never markup, never a control code."""

from __future__ import annotations

import unicodedata

# Unicode's categories of what moves the cursor, turns text around, is invisible, or is no text at all:
# control, format, surrogate, and the separators of lines and paragraphs.
_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def printable(text: object, limit: int | None = None) -> str:
    r"""One line that shows exactly what a text holds.

    Line ends, escape codes, lone surrogates (bytes of a file name that are no UTF-8) and invisible characters become
    escapes as in Python: ESC is `\x1b`, a new line `\n`.

    Args:
        text: anything; `str()` of it is shown.
        limit: longer texts are cut to so many characters, the last of them an ellipsis.
    """
    whole = str(text)
    cut = limit is not None and len(whole) > limit
    shown = "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _UNSHOWN else character
        for character in (whole[:limit] if cut else whole)
    )
    return shown[: limit - 1] + "…" if cut and limit is not None else shown


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose line ends stay."""
    return "\n".join(printable(line) for line in text.split("\n"))
