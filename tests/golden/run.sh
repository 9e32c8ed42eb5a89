#!/usr/bin/env bash
# Runs the RUN lines of a golden test, each of which must succeed:
#   // RUN: %descent dump %s --stage=graph | FileCheck %s
#   // RUN: not %descent check %s 2>&1 | FileCheck %s
# %descent is the command, %s this file, %S the project's folder, %t a path for a temporary file; `not` expects failure.
set -o pipefail
export DESCENT=${DESCENT:?} FILECHECK=${FILECHECK:-FileCheck-22}
file=$1
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# Exit status 1 or 2 is the user's mistake, which a test may expect; anything else (70, a signal) is a defect.
not() {
  "$@"
  local status=$?
  [ $status = 1 ] || [ $status = 2 ] || { echo "golden: '$*' exited with $status, expected 1 or 2" >&2; return 1; }
}

mapfile -t lines < <(sed -n 's|^.*RUN: *||p' "$file")
[ ${#lines[@]} -gt 0 ] || { echo "golden: $file has no RUN line" >&2; exit 1; }
for line in "${lines[@]}"; do
  command=$(sed -E 's/FileCheck(-22)?( |$)/"$FILECHECK" --dump-input=fail /g; s/%descent/"$DESCENT"/g; s/%S/"$SOURCE_DIR"/g;
                    s/%s/"$file"/g; s/%t/"$temporary\/t"/g' <<<"$line")
  eval "$command" || { echo "golden: failed: $line" >&2; exit 1; }
done
