"""Things that classify images: the host program, an emulated board, a board on a serial port.

All three run the same application and speak the same frames (firmware/src/protocol.h) over a
stream of bytes; they differ only in how the stream is opened.
"""

from bs4nn_tc.targets import bridge
from bs4nn_tc.targets.application import Answer, ApplicationTarget, Identity, Trace
from bs4nn_tc.targets.emulator import instructions, open_emulator
from bs4nn_tc.targets.kinds import Kind, emulated_boards, open_target
from bs4nn_tc.targets.native import open_native
from bs4nn_tc.targets.serial_port import open_serial

__all__ = [
    "Answer",
    "ApplicationTarget",
    "Identity",
    "Kind",
    "Trace",
    "bridge",
    "emulated_boards",
    "instructions",
    "open_emulator",
    "open_native",
    "open_serial",
    "open_target",
]
