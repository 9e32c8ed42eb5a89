#!/usr/bin/env bash
# --time-passes: one line for each stage, whose shares make up the whole; nothing of it where it was not asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
model=$SOURCE_DIR/examples/tumour.descent
stages="stage parse shapes simplify differentiate plan cache load-LLVM LLVM-IR optimise select link all"

table() { "$DESCENT" "$@" --time-passes 2>&1 > out | sed 's/load LLVM/load-LLVM/; s/LLVM IR/LLVM-IR/' | grep -A99 '^stage '; }
took() { awk -v stage="$1" '$1 == stage { print ($2 > 0 ? "some" : "none") }' "$folder/times"; }

table train "$model" --epochs 1 > times
[ "$(awk '{ print $1 }' times | xargs)" = "$stages" ]
awk 'NR > 1 && $1 != "all" { sum += $2 } $1 == "all" { exit !(sum - $2 < 0.1 && $2 - sum < 0.1) }' times
for stage in parse simplify select link; do [ "$(took $stage)" = some ]; done

# From the cache nothing is selected.
export DESCENT_CACHE=$folder/cache
"$DESCENT" train "$model" --epochs 1 > /dev/null 2>&1
table train "$model" --epochs 1 > times
for stage in load-LLVM select; do [ "$(took $stage)" = none ]; done
[ "$(took cache)" = some ]

table dump "$model" --stage=asm > times
for stage in plan select; do [ "$(took $stage)" = some ]; done
grep -q vfmadd out || grep -q fmla out || grep -q mulps out
if "$DESCENT" train "$model" --epochs 1 2>&1 | grep '^stage '; then exit 1; fi
