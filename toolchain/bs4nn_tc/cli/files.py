"""Verbs for a network file itself: what is in it, its version, and what it takes."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.cli.common import GET, LOOK, JsonOption, NetworkArgument, app, output, print_json, print_table
from bs4nn_tc.data import camera as cameras
from bs4nn_tc.device.codegen import memory, pack
from bs4nn_tc.model import network_file
from bs4nn_tc.model.formats import v2
from bs4nn_tc.model.network import Network
from bs4nn_tc.model.stages import shape_text

# Of a description; all of it is in the JSON.
MOST_ENTRIES, MOST_CHARACTERS = 40, 500


@app.command(epilog="Example: bs4nn-tc inspect digits.bs4nn", rich_help_panel=LOOK)
def inspect(network_path: NetworkArgument, as_json: JsonOption = False) -> None:
    """Show what a network file holds and the exact memory it takes on a board."""
    network = network_file.load(network_path)
    packed = pack.pack(network)
    plan = memory.plan(network, packed, "network")
    if as_json:
        print_json(
            {
                "digest": network.digest,
                "sizes": list(network.sizes),
                "intensity_max": network.input.intensity_max,
                "synapses": network.synapses,
                "flash_bytes": plan.flash_bytes,
                "ram_bytes": plan.ram_bytes,
                "workspace_bytes": plan.workspace_bytes,
                "memory": [{"what": i.what, "memory": i.memory, "bytes": i.bytes} for i in plan.items],
                "code": [{"what": what, "bytes_at_most": size} for what, size in plan.code],
                **v2.header_of(network),
            }
        )
        return
    rows = [
        ("digest", network.digest),
        ("time steps", f"{network.time_steps}, delay {network.delay}, readout at step {network.readout_step}"),
        ("intensities", f"0 .. {network.input.intensity_max}"),
        ("synapses", f"{network.synapses:,}"),
    ]
    for number, layer in enumerate(network.layers, start=1):
        low, high = int(layer.thresholds.min()), int(layer.thresholds.max())
        positive = float((layer.signs > 0).mean())
        thresholds = f"threshold {low}" if low == high else f"thresholds {low} .. {high}"
        rows.append((f"layer {number}", f"{layer.inputs} -> {layer.neurons}, {thresholds}, {positive:.1%} positive"))
    rows += _origin(network)
    entries = sorted(network.description.items())
    rows += [(printable(key, 60), printable(value, MOST_CHARACTERS)) for key, value in entries[:MOST_ENTRIES]]
    if len(entries) > MOST_ENTRIES:
        rows.append(("...", f"{len(entries) - MOST_ENTRIES:,} entries more; --json shows all"))
    print_table(f"{network_path.name}: {network.shape_text}", rows)
    rows = [(f"{item.what} ({item.memory})", f"{item.bytes:,}") for item in plan.items]
    rows += [(f"code of {what} (flash)", f"up to {size:,}") for what, size in plan.code]
    rows += [(f"  of the workspace: {what}", f"{size:,}") for what, size in memory.workspace_by_layer(network, packed)]
    rows += [("flash", f"{plan.flash_bytes:,}"), ("RAM", f"{plan.ram_bytes:,}")]
    print_table("bytes on a 32-bit core, without the program", rows)


def _origin(network: Network) -> list[tuple[str, str]]:
    """What a network says of its images, its classes and where it comes from, as rows of `print_table`."""
    rows = []
    if network.input.shape:
        rows.append(("image", shape_text(network.input.shape)))
    if network.input.stages:
        what = ", ".join(stage.text for stage in network.input.stages)
        rows.append(("stages", f"{what}: {shape_text(network.input.behind_stages.shape)} pixels"))
    if network.class_names:
        rows.append(("classes", printable(", ".join(network.class_labels), MOST_CHARACTERS)))
    if network.data is not None:
        data = network.data
        rows.append(("data set", printable(data.name, MOST_CHARACTERS) + (", all images" if data.all_images else "")))
        if data.polarity is not None:
            rows.append(("ink", data.polarity))
        if data.digest is not None:
            rows.append(("digest of its images", data.digest))
    if network.scaling is not None:
        alphas = ", ".join(f"{alpha:g}" for alpha in network.scaling.alphas)
        rows.append(("theta and alphas", printable(f"{network.scaling.theta:g}; {alphas}", MOST_CHARACTERS)))
    return rows


@app.command(epilog="Example: bs4nn-tc upgrade old.bs4nn -o new.bs4nn", rich_help_panel=GET)
def upgrade(
    network_path: NetworkArgument,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="The network file to write.")] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Write NETWORK itself anew, whole or not at all.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a network file of an older version as this release does; digest and answers stay the same.

    What its description says of images, classes and data set becomes fields of the file.
    """
    if (out is None) != in_place:
        raise UserError("name the file to write with -o, or write the network's own anew with --in-place")
    target = out or network_path
    network_file.check_output(target)
    network, version = network_file.load_with_version(network_path)
    network_file.save(network, target)
    filled_in = _origin(network) if version != network_file.VERSION else []
    if as_json:
        said = {"network": str(target), "digest": network.digest, "from_version": version}
        print_json({**said, "version": network_file.VERSION, "filled_in": dict(filled_in)})
        return
    output.print(
        f"{target}: version {version} -> {network_file.VERSION}, {network.shape_text}, digest {network.digest[:12]}"
    )
    if filled_in:
        print_table("filled in from its description", filled_in)


_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


class FrameFormat(StrEnum):
    """What a camera sends."""

    GREY = "grey"
    RGB565 = "rgb565"
    RGB565LE = "rgb565le"
    RGB888 = "rgb888"
    YUYV = "yuyv"


class InkKind(StrEnum):
    """Ink on its ground."""

    DARK = "dark"
    BRIGHT = "bright"


@app.command(
    epilog="Example: bs4nn-tc adapt mnist.bs4nn --camera 160x120 --format rgb565 --ink dark -o camera.bs4nn",
    rich_help_panel=GET,
)
def adapt(
    network_path: NetworkArgument,
    out: Annotated[Path, typer.Option("-o", "--output", help="The network file to write.")],
    camera: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="The size of a frame, as cameras say it: columns x rows.")
    ],
    frame_format: Annotated[
        FrameFormat, typer.Option("--format", help="Of a frame's bytes; rgb565 has red first, rgb565le blue first.")
    ] = FrameFormat.GREY,
    ink: Annotated[
        InkKind | None,
        typer.Option(
            help="Find what is written on unevenly lit paper, and lay it as the data set has its images. "
            "[default: take the middle of the frame]",
            show_default=False,
        ),
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Turn dark and bright round first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a camera before a network: its frames become the network's own input, on a device, too.

    Weights and names stay; what the network takes is new, and so is its digest.
    """
    size = _SIZE.fullmatch(camera)
    if size is None:
        raise UserError(f"--camera {printable(camera, 40)}: columns and rows such as 160x120 are needed")
    network_file.check_output(out)
    network = network_file.load(network_path)
    made = cameras.adapted(network, (int(size[2]), int(size[1])), frame_format.value, ink and ink.value, invert=invert)
    network_file.save(made, out)
    if as_json:
        print_json({"network": str(out), "digest": made.digest, "input": v2.header_of(made)["input"]})
        return
    what = ", ".join(stage.text for stage in made.input.stages) or "as they are"
    output.print(f"{out}: frames of {shape_text(made.input.shape)} bytes, {what}, digest {made.digest[:12]}")
