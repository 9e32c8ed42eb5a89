#!/usr/bin/env bash
# What is wrong with the user's files or command line is said clearly, with the right exit status.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cp "$SOURCE_DIR/examples/tumour.descent" "$SOURCE_DIR/examples/breast_cancer.csv" .
failed=0

# expect STATUS TEXT COMMAND...: the status, and the text somewhere in what is printed
expect() {
  local status=$1 text=$2 output
  shift 2
  output=$("$@" 2>&1)
  local got=$?
  if [ $got != "$status" ] || [[ $output != *"$text"* ]]; then
    printf 'FAILED: %s\nexpected %s: %s\ngot %s: %s\n' "$*" "$status" "$text" "$got" "$output"
    failed=1
  fi
}

expect 0 "0.105361" "$DESCENT" eval "bce(0.9, 1)"
expect 0 "2.302585" "$DESCENT" eval "bce(0.1, 1)"
expect 0 "0.105361" "$DESCENT" eval "bce(0.1, 0)"
expect 0 "2.302585" "$DESCENT" eval "bce(0.9, 0)"
expect 0 "0.328504" "$DESCENT" eval "bce(0.72, 1)"
expect 0 "-0.377541" "$DESCENT" eval "grad(bce(sigmoid(z), 1), z)" z=0.5
expect 0 "" "$DESCENT" check tumour.descent
expect 2 "" "$DESCENT" trian tumour.descent
expect 2 "" "$DESCENT" train
expect 2 "not of the form name=number" "$DESCENT" eval "z" z
expect 1 "nothing.descent" "$DESCENT" check nothing.descent

sed 's/"mean radius"/"mean radios"/' tumour.descent > column.descent
expect 1 'did you mean "mean radius"?' "$DESCENT" train column.descent
sed 's/breast_cancer.csv/missing.csv/' tumour.descent > missing.descent
expect 1 'missing.csv' "$DESCENT" train missing.descent
expect 1 'missing.descent:11:22: error: there is no file missing.csv' "$DESCENT" train missing.descent
: > empty.csv
expect 1 'the file is empty: expected a header row and at least one row of data' "$DESCENT" train tumour.descent --data empty.csv
sed '5s/^\([^,]*\),[^,]*,/\1,abc,/' breast_cancer.csv > text.csv
expect 1 'text.csv:5' "$DESCENT" train tumour.descent --data text.csv
expect 1 'column "mean radius" holds the text "abc" where a number is expected' "$DESCENT" train tumour.descent --data text.csv
sed '7s/^\([^,]*\),[^,]*,/\1,nan,/' breast_cancer.csv > nan.csv
expect 1 'nan.csv:7' "$DESCENT" train tumour.descent --data nan.csv

"$DESCENT" train tumour.descent --epochs 1 --save weights >/dev/null 2>&1
sed 's/dense(16)/dense(17)/' tumour.descent > other.descent
expect 1 "these weights are not of the model 'tumour': the tensor 'dense.0.w' has the shape [30, 16], expected [30, 17]" "$DESCENT" predict other.descent --weights weights --data breast_cancer.csv
head -c 100 weights > cut
expect 1 "cut" "$DESCENT" predict tumour.descent --weights cut --data breast_cancer.csv
exit $failed
