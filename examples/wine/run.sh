#!/bin/sh
# From a table to two emulated cores; see README.md.
set -eu
. "$(dirname "$0")/../steps.sh"
from_data_to_board wine sklearn:wine
