"""Stages for signals: firmware/lib/bs4nn/src/bs4nn_stages_signals.c."""

from __future__ import annotations

from collections.abc import Mapping

from bs4nn_tc.device.codegen.stage_kinds.in_c import InC

SIGNALS: Mapping[str, InC] = {}
