#!/bin/sh
# A digit on paper, from a camera's bytes to an answer: sh run.sh [PICTURE]; see README.md.
set -eu
here=$(dirname "$0")
. "$here/../steps.sh"
made=made/camera_digit
rm -rf "$made"
mkdir -p "$made"
picture=${1:-$made/seven.png}
[ $# -gt 0 ] || say python "$here/draw.py" "$picture"
say bs4nn-tc adapt "$here/../../networks/mnist-320-best.bs4nn" --camera 160x120 --format grey --ink dark -o "$made/camera_digit.bs4nn"
say bs4nn-tc classify "$made/camera_digit.bs4nn" "$picture"
say bs4nn-tc generate "$made/camera_digit.bs4nn" --board qemu-m4 -o "$made/project"
say bs4nn-tc build "$made/project"
say bs4nn-tc inspect "$made/camera_digit.bs4nn"
