"""A network and the kernel as one library folder, which Arduino, PlatformIO, CMake, Zephyr and ESP-IDF take."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import bs4nn_tc
from bs4nn_tc.base import resources
from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.files import disk_errors, new_folder, put_back, read_file, write_atomically
from bs4nn_tc.device.codegen import names, pack, render, self_test, stages
from bs4nn_tc.device.kernels import FAST, Kernel
from bs4nn_tc.model import reference
from bs4nn_tc.model.network import Network

# What the library.json of the kernel names, too.
_FLAGS_SCRIPT = resources.KERNEL.parent / "machine_flags.py"
# Dates in an archive would make two archives of one network differ.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def package_files(network: Network, name: str, kernel: Kernel = FAST) -> dict[str, str]:
    """Every file of the library, by its path in the folder.

    Args:
        network: the network.
        name: its name, see `names.check_name`.
        kernel: the kernel.

    Raises:
        UserError: a name that cannot be used.
    """
    packed = pack.pack(network)
    sample = self_test.sample(self_test.SELF_TESTS - 1, network)
    result = reference.run(network, sample[None])
    answer, response_time = int(result.answer[0]), int(result.response_time[0])
    texts = render.render_package(network, packed, name, sample, answer, response_time, kernel)
    texts |= {f"src/{file}": text for file, text in render.render_network(network, packed, name).items()}
    for path in [*kernel.files, *stages.files(network.input)]:
        texts[f"src/{path.name}"] = path.read_text(encoding="utf-8")
    version, what = bs4nn_tc.__version__, f"A {network.shape_text} binarized spiking network and its kernel"
    # No licence: the weights are the user's, and `pio pkg pack` would ask the network about it.
    library = names.c_name(name)
    texts["library.json"] = json.dumps(
        {
            "name": library,
            "version": version,
            "description": what,
            "keywords": "spiking, binarized, neural network",
            "frameworks": "*",
            "platforms": "*",
            "headers": f"{library}.h",
            "build": {"extraScript": _FLAGS_SCRIPT.name},
        },
        indent=2,
    )
    texts["library.json"] += "\n"
    texts[_FLAGS_SCRIPT.name] = _FLAGS_SCRIPT.read_text(encoding="utf-8")
    properties = {
        "name": library,
        "version": version,
        "author": "bs4nn-tc",
        "maintainer": "bs4nn-tc",
        "sentence": what,
        "paragraph": "One bit a synapse, whole numbers only, no heap.",
        "category": "Data Processing",
        "url": "https://pypi.org/project/bs4nn-tc/",
        "architectures": "*",
        "includes": f"{library}.h",
    }
    texts["library.properties"] = "".join(f"{key}={value}\n" for key, value in properties.items())
    texts["zephyr/module.yml"] = f"name: {library}\nbuild:\n  cmake: .\n  kconfig: zephyr/Kconfig\n"
    texts["zephyr/Kconfig"] = f'config {library.upper()}\n    bool "{what}"\n'
    texts["idf_component.yml"] = f'version: "{version}"\ndescription: {what}\n'
    return texts


def write_folder(network: Network, name: str, folder: Path, kernel: Kernel = FAST) -> None:
    """Write the library as a folder, all of it or nothing; see `package_files`.

    Raises:
        UserError: a bad name, a folder that is there already and holds something else, or a full disk.
    """
    texts = package_files(network, name, kernel)
    put_back(folder)
    with disk_errors(folder):
        if folder.is_dir() and any(folder.iterdir()):
            if _holds(folder, texts):  # a call before was killed when it was done
                return
            raise UserError(f"{folder} is there already; name another folder with -o, or remove it")
    with new_folder(folder) as made:
        for file, text in texts.items():
            (made / file).parent.mkdir(parents=True, exist_ok=True)
            (made / file).write_text(text, encoding="utf-8", newline="\n")


def _holds(folder: Path, texts: dict[str, str]) -> bool:
    """Whether a folder holds these files and no others."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    return files.keys() == texts.keys() and all(read_file(files[name]) == text.encode() for name, text in texts.items())


def write_zip(network: Network, name: str, path: Path, kernel: Kernel = FAST) -> None:
    """Write the library as the archive that the Arduino IDE takes; the same network gives the same bytes.

    Raises:
        UserError: a bad name, or a full disk.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in sorted(package_files(network, name, kernel).items()):
            entry = zipfile.ZipInfo(f"{names.c_name(name)}/{file}", _NO_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    write_atomically(path, content.getvalue())
