#!/bin/sh
# Install what PyPI does not have: a C compiler, the Arm compiler, the emulator, Python's venv.
# With the argument `tests` also what only tests ask for: another C compiler, and other processors emulated.
# Debian and Ubuntu only; elsewhere it names what is missing.
set -eu

missing=""
need() { # need COMMAND PACKAGES: remember the packages if the command is not there
    if ! command -v "$1" >/dev/null 2>&1; then
        missing="$missing $2"
    fi
}

need cc "gcc libc6-dev"
need c++ "g++" # the tests compile the headers from C++
need arm-none-eabi-gcc "gcc-arm-none-eabi libnewlib-arm-none-eabi"
need qemu-system-arm "qemu-system-arm"
${PYTHON:-python3} -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

if [ "${1:-}" = tests ]; then
    need clang "clang"
    need qemu-armeb "qemu-user"
fi

[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: install these with your system's package manager (names as on Debian):$missing" >&2
    exit 3
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo"
    echo "setup: sudo is needed for: apt-get install$missing"
fi
echo "setup: installing Debian packages:$missing"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
