"""The one line of PlatformIO's output that says why it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

# PlatformIO and SCons say what they do, sum up, and say that something else failed: never a reason.
_NO_REASON = re.compile(
    r"(Processing|Compiling|Linking|Archiving|Indexing|Building|Running|Flashing|Uploading|Verbose mode|Environment) |"
    r"[=*-]{4}|\*\*\* \[.*\] (Error|Source) |\S+ +(FAILED|SUCCESS|IGNORED) |\s*File \"|"
    r"collect2: |.*linker command failed"
)
_ERROR = re.compile(r"\berror: |^\w*(Error|Exception): (?!Traceback)", re.IGNORECASE)
_LINKER = re.compile(r"\bld(\.\w+)?: (?!.*\bwarning: )|undefined reference|cannot find -l")
_INSTALLING = re.compile(r"\w+ Manager: Installing (.+)")


def reason(lines: Sequence[str]) -> str:
    """Why a call of PlatformIO failed, as the compiler, the linker or PlatformIO itself put it.

    Args:
        lines: all that it printed.
    """
    told = [line.strip() for line in lines if line.strip() and not _NO_REASON.match(line)]
    # The linker ends with a line that has no reason; the number of missing bytes is one of several before it.
    overflows = list(dict.fromkeys(_after_tool(line) for line in told if "overflowed by" in line))
    if overflows:
        return f"{'; '.join(overflows)}; take fewer neurons or a larger board"
    for pattern in (_ERROR, re.compile("undefined reference"), _LINKER, re.compile(r"\*\*\* ")):
        found = next((line for line in told if pattern.search(line)), None)
        if found is not None:
            return _after_tool(found)
    return told[-1] if told else "it did not say why"


def wanted_packages(lines: Sequence[str]) -> str:
    """What PlatformIO was about to fetch, e.g. "ststm32" or "platformio/tool-scons @ ~4.41101.0"."""
    found = [match[1].strip() for line in lines if (match := _INSTALLING.search(line))]
    return found[-1] if found else "it did not say which"


def _after_tool(line: str) -> str:
    """A line without the name of the linker, and without a word that says no more than "error"."""
    return re.sub(r"^\S.*?\bld(\.\w+)?: |^(error|UserSideException): |^\*\*\* ", "", line, flags=re.IGNORECASE)
