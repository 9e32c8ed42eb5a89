#!/usr/bin/env bash
# Every example is trained to the figure that examples/README.md states, with each of three seeds: whether a model learns
# is no matter of luck. The figures leave room: what a seed reaches is better by a tenth or more of what is left to gain.
set -uo pipefail
failed=0

# reaches EXAMPLE NUMBER BOUND: the number of the validation data, at least BOUND; a loss, at most
reaches() {
  local example=$1 number=$2 bound=$3 seed got
  for seed in 1 2 3; do
    got=$("$DESCENT" train "$SOURCE_DIR/examples/$example.descent" --seed $seed --json 2>/dev/null |
      grep -oP '"validation":\{[^}]*"'"$number"'":\K[0-9.e-]+')
    echo "$example, seed $seed: $number ${got:-missing}"
    if [ "$number" = loss ]; then
      awk "BEGIN { exit !(\"$got\" != \"\" && $got <= $bound) }" || failed=1
    else
      awk "BEGIN { exit !(\"$got\" != \"\" && $got >= $bound) }" || failed=1
    fi
  done
}

reaches logistic accuracy 0.97
reaches eight auc 0.99
reaches segments accuracy 0.98
reaches autoencoder loss 0.018
reaches gradient_penalty auc 0.93
reaches wine auc 0.99
reaches digits accuracy 0.96
reaches attention accuracy 0.96
reaches penguins loss 0.05
reaches sunspots loss 0.03
reaches siamese auc 0.93

# The digits of the coefficients that are right: those of float64, and not without it.
digits() { "$DESCENT" train "$1" --json 2>/dev/null | grep -oP '^[^\[]*"metrics":\{"digits":\K[0-9.e-]+'; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$SOURCE_DIR/examples/longley.csv" "$folder"
sed 's/: f64\[/: f32[/' "$SOURCE_DIR/examples/longley.descent" > "$folder/longley.descent"
wide=$(digits "$SOURCE_DIR/examples/longley.descent") narrow=$(digits "$folder/longley.descent")
echo "longley: ${wide:-missing} digits, ${narrow:-missing} in float32"
awk "BEGIN { exit !(${wide:-0} >= 10 && ${narrow:-99} < 6) }" || failed=1

# What stands in the folder is in the list above, and in the README.
for file in "$SOURCE_DIR"/examples/*.descent; do
  example=$(basename "$file" .descent)
  [ "$example" = tumour ] || grep -qE "^reaches $example |examples/$example.descent" "$0" || { echo "FAILED: no figure for $example" && failed=1; }
  grep -q "\`$example.descent\`" "$SOURCE_DIR/examples/README.md" || { echo "FAILED: README lacks $example" && failed=1; }
done
exit $failed
