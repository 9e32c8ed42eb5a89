#!/usr/bin/env bash
# The example is trained well with every seed, the same seed gives the same bytes, and what is saved predicts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
model=$SOURCE_DIR/examples/tumour.descent data=$SOURCE_DIR/examples/breast_cancer.csv

for seed in 1 2 3 4 5 6 7 8 9 10; do
  "$DESCENT" train "$model" --seed $seed --json 2>/dev/null > "$folder/out"
  auc=$(grep -oP '"auc":\K[0-9.]+' "$folder/out")
  echo "seed $seed: AUC $auc"
  awk "BEGIN { exit !($auc >= 0.98) }"
done

"$DESCENT" train "$model" --seed 3 --save "$folder/a" --json > "$folder/json" 2>/dev/null
"$DESCENT" train "$model" --seed 3 --save "$folder/b" > "$folder/table" 2>/dev/null
cmp "$folder/a" "$folder/b"
test "$(wc -l < "$folder/json")" = 1
grep -q '^validation .*AUC\|^validation' "$folder/table"

"$DESCENT" predict "$model" --weights "$folder/a" --data "$data" --output "$folder/p.csv"
test "$(wc -l < "$folder/p.csv")" = 570
test "$(head -1 "$folder/p.csv")" = p
"$DESCENT" evaluate "$model" --weights "$folder/a" --data "$data" --json | grep -q '"rows":569'

"$DESCENT" train "$model" --epochs 0 --save "$folder/initial" --json 2>/dev/null | grep -q '"steps":0'
test -s "$folder/initial"
"$DESCENT" bench "$model" --seconds 0.05 --json | grep -q '"step_us_min"'
for stage in ast graph gradient optimized kernels llvm asm; do
  test "$("$DESCENT" dump "$model" --stage=$stage | wc -l)" -gt 20
done
"$DESCENT" dump "$model" --stage=asm > "$folder/asm"
grep -q '^# kernel .* -> dense.0.w -> dense.0.w.m' "$folder/asm"
