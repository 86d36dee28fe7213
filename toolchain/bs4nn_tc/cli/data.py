"""The verb that looks at a data set."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from bs4nn_tc.cli.common import (
    GET,
    DataDirOption,
    JsonOption,
    SizeOption,
    app,
    load_dataset,
    output,
    print_json,
    print_table,
    progress_console,
    warn,
)
from bs4nn_tc.cli.reading import reads_files
from bs4nn_tc.data import check, datasets

# Rows of a table that people read; programs get all of them.
_MOST_ROWS = 40


def say_what_is_seen(loaded: datasets.Dataset) -> None:
    """The first lines of who learns from a data set."""
    seen = check.look(loaded)
    progress_console.print(f"data: {seen.summary}")
    warn([one.text for one in seen.findings])


@app.command(epilog="Example: bs4nn-tc data sensors.csv --label state", rich_help_panel=GET)
@reads_files
def data(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A name, a file or a folder: docs/DATASETS.md.")],
    data_dir: DataDirOption = None,
    size: SizeOption = None,
    as_json: JsonOption = False,
    *,
    reading: datasets.Reading,
) -> None:
    """Look at a data set before anything is learned: what is in it, and what will spoil what is learned."""
    loaded = load_dataset(datasets.sized_name(dataset, size), data_dir, reading=reading)
    seen = check.look(loaded)
    if as_json:
        findings = [{"kind": one.kind, "text": one.text} for one in seen.findings]
        print_json({**seen.facts, "notes": list(loaded.notes), "findings": findings})
        return
    facts = seen.facts
    rows = [
        ("samples to learn from", f"{facts['training']:,}"),
        ("samples to choose by", f"{facts['validation']:,}" + f", {facts['folds']} folds" * (facts["folds"] > 1)),
        ("samples to test with", f"{facts['test']:,}"),
        ("a sample", f"{facts['shape']}, {facts['type']}"),
        ("values", f"{facts['lowest']:,} to {facts['highest']:,}"),
        ("groups to learn from", "unknown" if facts["groups"] is None else f"{facts['groups']:,}"),
    ]
    print_table(facts["name"], rows + ([] if facts["ink"] is None else [("ink", facts["ink"])]))
    more = f", the first {_MOST_ROWS}" * (len(facts["classes"]) > _MOST_ROWS)
    classes = Table(title=f"{len(facts['classes']):,} classes{more}", title_justify="left")
    for heading in ("", "to learn from", "to choose by", "to test with"):
        classes.add_column(heading, justify="right" if heading else "left")
    for name, counts in list(facts["classes"].items())[:_MOST_ROWS]:
        classes.add_row(name, *(f"{counts[part]:,}" for part in ("training", "validation", "test")))
    output.print(classes)
    if facts["features"]:
        more = f", the first {_MOST_ROWS}" * (len(facts["features"]) > _MOST_ROWS)
        features = Table(title=f"{len(facts['features']):,} features{more}", title_justify="left")
        for heading in ("", "lowest", "median", "highest"):
            features.add_column(heading, justify="right" if heading else "left")
        for one in facts["features"][:_MOST_ROWS]:
            features.add_row(one["name"], *(f"{one[what]:g}" for what in ("lowest", "median", "highest")))
        output.print(features)
    warn([one.text for one in seen.findings])
