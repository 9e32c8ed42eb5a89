#!/usr/bin/env bash
# Interrupted training saves what was learned, and goes on from there as if it had not been interrupted. Standard streams
# that are full, closed or no longer read lose what was said, not what was learned; results that were not written are an
# error.
set -uo pipefail
folder=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
failed=0
fail() { echo "FAILED: $*"; failed=1; }
model=$SOURCE_DIR/examples/autoencoder.descent tumour=$SOURCE_DIR/examples/tumour.descent

# Waits until the training in the background has shown its first epoch.
wait_for_epoch() {
  for _ in $(seq 600); do
    grep -qs '^epoch' "$1" && return
    sleep 0.05
  done
  fail "no epoch in $1"
}
# Non-interactive shells start background jobs with SIGINT ignored.
start() { exec env --default-signal=INT,HUP,TERM "$DESCENT" train "$model" --epochs 1000000 "$@"; }

for signal in INT TERM HUP; do
  rm -f weights log
  start --save weights --json >out 2>log &
  wait_for_epoch log
  kill -$signal $!
  wait $!
  status=$?
  [ $status = $((128 + $(kill -l $signal))) ] || fail "$signal: status $status"
  [ -s weights ] || fail "$signal: no weights"
  grep -q '^interrupted: saving the weights after this epoch' log || fail "$signal: says nothing"
  [ "$(ls | grep -c weights)" = 1 ] || fail "$signal: leaves other files"
done
epochs=$(grep -oP '"epochs":\K[0-9]+' out | head -1)
"$DESCENT" train "$model" --epochs "$epochs" --save straight >/dev/null 2>&1
cmp weights straight || fail "not the weights of $epochs epochs"
grep -q '"epochs":[1-9]' out || fail "no report"

# Without --save there is nothing to keep.
rm -f log
start >out 2>log &
wait_for_epoch log
kill -INT $!
wait $!
[ $? = 130 ] || fail "without --save"

# The second one ends at once.
rm -f log
start --save second --batch 1 >out 2>log &
wait_for_epoch log
kill -INT $! && sleep 0.02 && kill -INT $! 2>/dev/null
wait $!
[ $? = 130 ] || fail "second signal"

# Nobody reads what is said.
mkfifo said
head -1 <said >first &
start --save unread >said 2>&1 &
training=$!
wait_for_epoch first
sleep 0.2
kill -TERM $training
wait
[ -s unread ] || fail "unread: no weights"

# Standard error is full or closed: the work goes on.
"$DESCENT" train "$tumour" --epochs 2 --save full >out 2>/dev/full || fail "full log"
"$DESCENT" train "$tumour" --epochs 2 --save closed <&- >&- 2>&-
cmp full closed || fail "closed streams"
"$DESCENT" check "$tumour.none" 2>/dev/full
[ $? = 1 ] || fail "a mistake that cannot be said"

# A result that cannot be written is an error, however short it is.
for command in 'eval 1+1' '--help' 'doc' "dump $tumour --stage graph" "predict $tumour --weights full --data ${tumour%/*}/breast_cancer.csv" \
  "train $tumour --epochs 1 --json"; do
  # shellcheck disable=SC2086
  "$DESCENT" $command >/dev/full 2>err
  status=$?
  [ $status = 1 ] && grep -q '^standard output: error: cannot be written: No space left on device' err ||
    fail "$command: status $status, $(cat err)"
done
"$DESCENT" eval 1+1 >&- 2>err
[ $? = 1 ] || fail "closed output"
exit $failed
