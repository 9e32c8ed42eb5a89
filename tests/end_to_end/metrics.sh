#!/usr/bin/env bash
# Losses with names and metrics are reported by train after every epoch and at the end, and by evaluate; training stops by
# a metric.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0
cp "$SOURCE_DIR/examples/breast_cancer.csv" .
cat > m.descent <<'END'
model m {
    input  x: [n, 30]
    target y: [n, 1]
    output p = x |> standardize |> dense(1) |> sigmoid
    loss fit  = bce(p, y)
    loss size = 1e-2 * l2(weights)
    metric f1 = f1_score(p, y), right = accuracy(p, y)
}
data {
    source     = csv("breast_cancer.csv")
    x          = columns("mean radius" .. "worst fractal dimension")
    y          = column("diagnosis") == "M"
    validation = split(20%, stratify = y, seed = 7)
}
train {
    epochs = 30
    stop   = early(validation.f1, best = largest, patience = 3)
}
END
expect() { grep -qP -- "$2" <<<"$1" || { printf 'FAILED: no %s in:\n%s\n' "$2" "$1"; failed=1; }; }

text=$("$DESCENT" train m.descent --save w 2>progress)
expect "$text" '^ +rows +loss +accuracy +AUC +fit +size +f1 +right$'
expect "$text" '^training +455( +\d\.\d{4}){7}$'
expect "$text" '^validation +114( +\d\.\d{4}){7}$'
expect "$text" 'stopped early'
named='  fit \d\.\d{4}  size \d\.\d{4}  f1 \d\.\d{4}  right \d\.\d{4}'
expect "$(cat progress)" "^epoch 3/30  loss \\d\\.\\d{4}$named  validation \\d\\.\\d{4}$named\$"

json=$("$DESCENT" train m.descent --json 2>/dev/null)
figures='"losses":\{"fit":[\d.e-]+,"size":[\d.e-]+\},"metrics":\{"f1":[\d.e-]+,"right":[\d.e-]+\}'
expect "$json" "\"validation\":\\{\"loss\":[\\d.]+,\"accuracy\":[\\d.]+,\"auc\":[\\d.]+,$figures\\}"
expect "$json" "\"history\":\\[\\{\"epoch\":1,\"loss\":[\\d.]+,$figures,\"validation_loss\":[\\d.]+,\"validation_losses\""

evaluated=$("$DESCENT" evaluate m.descent --weights w --data breast_cancer.csv --json)
expect "$evaluated" "$figures"
# The accuracy that every model has is the metric of that meaning.
expect "$evaluated" '"accuracy":([\d.]+),.*"right":\1\}'
expect "$("$DESCENT" evaluate m.descent --weights w --data breast_cancer.csv)" '  fit \d\.\d{4}  size \d\.\d{4}  f1 \d\.\d{4}  right \d\.\d{4}$'
# Rows that lack a value are left out, and counted; a prediction for them is a mistake.
sed '7s/^\([^,]*\),[^,]*,/\1,nan,/; 9s/^\([^,]*\),[^,]*,/\1,,/; 20s/^M/ /' breast_cancer.csv >lacking.csv
sed 's/breast_cancer/lacking/; s/    validation/    missing = skip\n&/' m.descent >skips.descent
text=$("$DESCENT" train skips.descent --save w 2>/dev/null)
expect "$text" '^training +453 '
expect "$text" '^left out +3  since a value is missing$'
expect "$("$DESCENT" evaluate skips.descent --weights w --data lacking.csv)" '^rows 566 .* left out 3$'
expect "$("$DESCENT" evaluate skips.descent --weights w --data lacking.csv --json)" '"left_out":3}$'
expect "$("$DESCENT" predict skips.descent --weights w --data lacking.csv 2>&1)" 'missing value: column "mean radius" holds "nan" in row 6'
exit $failed
