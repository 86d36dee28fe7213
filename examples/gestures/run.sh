#!/bin/sh
# From recordings to two emulated cores: sh run.sh DATASET; see README.md.
set -eu
[ $# -eq 1 ] || { echo "usage: sh $0 DATASET (see README.md beside it)" >&2; exit 2; }
. "$(dirname "$0")/../steps.sh"
from_data_to_board gestures "$1"
