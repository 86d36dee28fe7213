"""The demo: from the bundled digits to an emulated Cortex-M4, every step by the commands a user types."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TOOL = Path(sys.executable).with_name("bs4nn-tc")
BOARD = "qemu-m4"
console = Console()


def call(*arguments: str) -> dict[str, Any]:
    """Show and run one command; returns what it prints as JSON, if that was asked for."""
    shown = " ".join(argument for argument in arguments if argument != "--json")
    console.print(f"\n[bold]$ bs4nn-tc {shown}[/]", highlight=False)
    as_json = "--json" in arguments
    done = subprocess.run([str(TOOL), *arguments], stdout=subprocess.PIPE if as_json else None, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return dict(json.loads(done.stdout)) if as_json else {}


def main(folder: Path) -> None:
    """Run the demo in `folder`, which is made anew."""
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    network, project = str(folder / "digits.bs4nn"), str(folder / "project")

    trained = call(
        "train", "--dataset", "digits", "--hidden", "128", "-o", network, "--run", str(folder / "run"), "--json"
    )
    call("generate", network, "--board", BOARD, "-o", project)
    built = call("build", project, "--json")
    verified = call("verify", project, "--dataset", "digits", "--json")

    figures = trained["test"]
    sizes = next(build for build in built["builds"] if build["environment"] == BOARD)
    table = Table(
        title="\ndigits: 64-128-10, one bit a synapse, on the test images", title_justify="left", show_header=False
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_row("strict accuracy", f"{figures['strict_accuracy']:.2%}")
    table.add_row("tie-lenient accuracy", f"{figures['tie_lenient_accuracy']:.2%}")
    table.add_row("response time", f"{figures['response_time']:.2f} steps")
    table.add_row("silent share", f"{figures['silent_share']:.2%}")
    table.add_row("spikes to decision", f"{figures['spikes_to_decision']:.1f}")
    table.add_row(
        "flash, Cortex-M4", f"{sizes['flash_bytes']:,} bytes, {sizes['network_flash_bytes']:,} of it the network"
    )
    table.add_row(
        "RAM with stack, Cortex-M4", f"{sizes['ram_bytes']:,} bytes, {sizes['network_ram_bytes']:,} of it the network"
    )
    for result in verified["results"]:
        table.add_row(f"verified on {result['board']}", f"{result['equal']} of {result['images']} images equal")
    console.print(table)
    console.print(f"network {network}, project {project}; {time.monotonic() - started:.0f} s in all", highlight=False)
    console.print(f"a page about it: .venv/bin/bs4nn-tc report {network} --board qemu-m4", highlight=False)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
