# The way from a data set to two emulated cores, the same for all examples: from_data_to_board NAME DATASET [options of train]
#
# Every line is what you would type yourself. What is made goes into made/NAME, which is begun anew.
from_data_to_board() {
    name=$1 dataset=$2
    shift 2
    made=made/$name
    rm -rf "$made"
    mkdir -p "$made"
    say bs4nn-tc data "$dataset"
    say bs4nn-tc train --dataset "$dataset" -o "$made/$name.bs4nn" --run "$made/run" "$@"
    say bs4nn-tc generate "$made/$name.bs4nn" --board qemu-m0 --board qemu-m4 -o "$made/project"
    say bs4nn-tc build "$made/project"
    say bs4nn-tc verify "$made/project"
    say bs4nn-tc bench "$made/$name.bs4nn" --board qemu-m0 --board qemu-m4 --images 100
    echo
    echo "network $made/$name.bs4nn, project $made/project"
}

say() {
    printf '\n$ %s\n' "$*"
    "$@"
}
