"""JSON from files that nobody should trust: parsed within limits, and nothing in it that JSON does not have."""

from __future__ import annotations

import json
import math
from typing import Any

from bs4nn_tc.base.errors import UserError

# More than any file of this tool holds, and few enough that every part of the program copes with them.
MAX_BYTES = 16_000_000
MAX_DEPTH = 32
MAX_VALUES = 1_000_000


def parse(content: bytes | str, what: str) -> Any:
    """The value of a JSON text.

    Args:
        content: the text, UTF-8 where it is bytes.
        what: names it in messages, e.g. the file's path.

    Raises:
        UserError: no JSON, NaN or infinity, or beyond the limits above.
    """
    if len(content) > MAX_BYTES:
        raise UserError(f"{what} holds {len(content):,} bytes of JSON; at most {MAX_BYTES:,} are read")
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise UserError(f"{what} is nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # JSON and UTF-8 errors, and whole numbers of more than 4,300 digits
        raise UserError(f"{what} is no JSON ({error})") from error
    check(value, what)
    return value


def check(value: Any, what: str) -> None:
    """Refuse what does not survive being written as JSON, or would hold everybody up.

    Raises:
        UserError: deeper than 32 levels, more than a million values, a number that is not finite, text that is no
            Unicode (a lone surrogate), or a value that is not of JSON.
    """
    level, depth, seen = [value], 0, 0
    while level:
        if depth > MAX_DEPTH:
            raise UserError(f"{what} is nested deeper than {MAX_DEPTH} levels")
        seen += len(level)
        if seen > MAX_VALUES:
            raise UserError(f"{what} holds more than {MAX_VALUES:,} values")
        below: list[Any] = []
        for one in level:
            _check_one(one, what)
            if isinstance(one, dict):
                below += one.keys()
                below += one.values()
            elif isinstance(one, list | tuple):
                below += one
        level, depth = below, depth + 1


def _check_one(one: Any, what: str) -> None:
    if isinstance(one, str):
        try:
            one.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{what} holds text that is no Unicode (a lone surrogate)") from error
    elif isinstance(one, float):
        if not math.isfinite(one):
            raise UserError(f"{what} holds a number that is not finite ({one})")
    elif isinstance(one, dict):
        if not all(isinstance(key, str) for key in one):
            raise UserError(f"{what} has a name that is no text")
    elif one is not None and not isinstance(one, int | list | tuple):
        raise UserError(f"{what} holds a value of type {type(one).__name__}, which JSON has not")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}, which is no number")
