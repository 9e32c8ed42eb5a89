#!/usr/bin/env bash
# The time of a step beside the size of an embedding's table: an update touches the rows of the batch alone, so that it
# should not grow with the table. Usage: bench/embedding.sh [OPTIMIZER] [BATCH]; the command is build/descent or $DESCENT.
set -euo pipefail
descent=${DESCENT:-$(dirname "$0")/../build/descent}
optimizer=${1:-sgd(lr = 0.1)} batch=${2:-64}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '%10s %12s\n' rows 'step us'
for rows in 100 1000 10000 100000 1000000; do
  cat > "$folder/model.descent" <<END
model embedding {
    input  word: [n, 8] category($rows)
    target y: [n, 1]
    output p = mean(embedding(word, $rows, 16), axis = 1) |> dense(32) |> relu |> dense(1) |> sigmoid
    loss = bce(p, y)
}
train {
    optimizer = $optimizer
}
END
  step=$("$descent" bench "$folder/model.descent" --batch "$batch" --seconds 2 --json | grep -oP '"step_us_min":\K[0-9.]+')
  printf '%10s %12.2f\n' "$rows" "$step"
done
