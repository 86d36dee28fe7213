"""The kinds of stages that there are in C, by the modules of C that hold them."""

from __future__ import annotations

from collections.abc import Mapping

from bs4nn_tc.device.codegen.stage_kinds.in_c import InC, Table
from bs4nn_tc.device.codegen.stage_kinds.pictures import PICTURES
from bs4nn_tc.device.codegen.stage_kinds.signals import SIGNALS
from bs4nn_tc.device.codegen.stage_kinds.tables import TABLES

__all__ = ["IN_C", "InC", "Table"]

# By the name that a kind has in files.
IN_C: Mapping[str, InC] = {**PICTURES, **TABLES, **SIGNALS}
