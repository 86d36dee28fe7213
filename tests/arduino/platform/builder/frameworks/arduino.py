"""The core: Arduino.h, and a main that calls a sketch. Like the cores built on mbed, it does not define F_CPU."""

from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
core = Path(env.PioPlatform().get_dir()).resolve() / "core"
env.Append(CPPDEFINES=[("ARDUINO", 10819)], CPPPATH=[str(core.parents[1])])
env.Prepend(LIBS=[env.BuildLibrary(str(Path("$BUILD_DIR", "core")), str(core))])
