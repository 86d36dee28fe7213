"""Put measured figures into README.md and docs/TRAINING.md: python tools/tables.py [--check]

Every table between `<!-- table NAME -->` and `<!-- end -->` is written anew from benchmarks/*.csv and the cards in
networks/. With --check nothing is written; exit status 1 if something
differs.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "TRAINING.md")
CORES = {"cortex-m0": "Cortex-M0", "cortex-m3": "Cortex-M3", "cortex-m4": "Cortex-M4", "cortex-m7": "Cortex-M7"}
CORES |= {"cortex-m33": "Cortex-M33"}
PEERS = {
    "bs4nn-tc": "this kernel",
    "bnn-xnor": "binary network, xnor and popcount",
    "int8-skip": "int8, skipping zeros",
    "int8": "int8, two neurons at a time",
    "int8-plain": "int8, plain C",
    "cmsis-nn": "CMSIS-NN int8",
    "emlearn": "emlearn (float; M4 with its FPU)",
}


def table(headings: list[str], rows: list[list[str]]) -> str:
    """Markdown, every column but the first to the right."""
    lines = ["| " + " | ".join(headings) + " |", "| --- |" + " ---: |" * (len(headings) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def read_csv(name: str) -> list[dict[str, str]]:
    """Rows of a file in benchmarks/."""
    with (ROOT / "benchmarks" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kernel_table() -> str:
    """Instructions and bytes of the authors' network on every core."""
    values = {(row["what"], row["unit"]): float(row["value"]) for row in read_csv("results.csv")}
    rows = []
    variants = [(core, name, "") for core, name in CORES.items()]
    variants += [(core, f"{CORES[core]}, C alone", " in portable C") for core in ("cortex-m0", "cortex-m4")]
    variants += [(core, f"{CORES[core]}, small", " by the small kernel") for core in ("cortex-m0", "cortex-m4")]
    for core, name, kernel in variants:
        (what,) = {what for what, _ in values if what.startswith(f"authors' 784-600-10{kernel}, {core},")}
        units = ("mean", "largest", "hardest synthetic image")
        counts = [f"{values[what, f'instructions an inference, {unit}']:,.0f}" for unit in units]
        rows.append(
            [
                name,
                *counts,
                f"{values[what, 'bytes of workspace and stack']:,.0f}",
                f"{values[what, 'bytes of code']:,.0f}",
            ]
        )
    return table(["core", "mean", "largest", "hardest image", "RAM and stack, bytes", "code, bytes"], rows)


def speed_table() -> str:
    """Training and evaluation on the machine that `make bench` ran on."""
    rows = []
    for row in read_csv("results.csv"):
        if row["unit"] in ("images a second", "seconds an epoch", "times as fast as dense NumPy", "bits of a vector"):
            value = float(row["value"])
            rows.append([row["what"], f"{value:,.0f}" if value >= 100 else f"{value:,.1f}", row["unit"]])
    return table(["on two cores", "measured", "in"], rows)


def peers_table() -> str:
    """Other implementations of the same layers, and how many times as many instructions they take."""
    found = {(row["peer"], row["board"]): row for row in read_csv("peers.csv")}
    rows = []
    for peer, name in PEERS.items():
        cells = [name]
        for board in ("qemu-m0", "qemu-m4"):
            row = found.get((peer, board))
            if row is None:
                cells += ["-", "-"]
                continue
            mean, ours = float(row["instructions_mean"]), float(found["bs4nn-tc", board]["instructions_mean"])
            cells += [f"{mean:,.0f}", f"{mean / ours:.1f}"]
        rows.append(cells)
    return table(["784-600-10", "M0", "ratio", "M4", "ratio"], rows)


def networks_table() -> str:
    """The cards in networks/."""
    rows = []
    for path in sorted((ROOT / "networks").glob("*.json")):
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        test = card["test"]
        rows.append(
            [
                f"`{card['name']}`",
                f"{test['strict_accuracy']:.2%}",
                f"{test['tie_lenient_accuracy']:.2%}",
                f"{test['response_time']:.1f}",
                f"{test['silent_share']:.1%}",
                f"{card['device']['flash_bytes']:,}",
                f"{card['device']['workspace_bytes']:,}",
                f"{card['device']['instructions_cortex_m4_mean']:,}",
            ]
        )
    return table(["network", "strict", "tie-lenient", "steps", "silent", "flash", "RAM", "instructions, M4"], rows)


def deviations_table() -> str:
    """What the recipe "paper" loses without each of its deviations."""
    rows = [
        [
            row["undone"] if row["undone"] in ("nothing", "all of them") else f"`{row['undone']}`",
            f"{float(row['strict_accuracy']):.2%}",
            f"{float(row['tie_lenient_accuracy']):.2%}",
            f"{float(row['response_time']):.0f}",
            f"{float(row['silent_share']):.1%}",
        ]
        for row in read_csv("deviations.csv")
    ]
    return table(["undone", "strict", "tie-lenient", "steps", "silent"], rows)


TABLES = {
    "kernel": kernel_table,
    "speed": speed_table,
    "peers": peers_table,
    "networks": networks_table,
    "deviations": deviations_table,
}


def written(text: str) -> str:
    """A document with its tables as they are measured."""

    def fresh(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n{TABLES[found[2]]()}\n\n{found[3]}"

    return re.sub(r"(<!-- table (\w+) -->)\n.*?(<!-- end -->)", fresh, text, flags=re.DOTALL)


def main() -> None:
    """Write the tables, or check them."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        new = written(text)
        if "--check" not in sys.argv[1:]:
            document.write_text(new, encoding="utf-8")
        elif new != text:
            name = document.relative_to(ROOT)
            sys.exit(f"error: the tables of {name} are not what was measured: python tools/tables.py")


if __name__ == "__main__":
    main()
