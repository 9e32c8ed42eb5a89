#!/usr/bin/env bash
# Runs the blocks of the documents that are marked ```shell, each file's in a folder of its own that holds the examples
# and a model.descent. Lines that begin with ./dev are what runs the tests, and left out.
set -uo pipefail
failed=0
for document in "$SOURCE_DIR"/README.md "$SOURCE_DIR"/docs/*.md; do
  folder=$(mktemp -d)
  cp -r "$SOURCE_DIR/examples" "$folder"
  cp "$SOURCE_DIR"/examples/{tumour.descent,breast_cancer.csv} "$folder"
  cp "$folder/tumour.descent" "$folder/model.descent"
  mkdir "$folder/build" && ln -s "$DESCENT" "$folder/build/descent"
  commands=$(awk '/^```/ { inside = !inside && $0 == "```shell"; next } inside && !/^\.\/dev/' "$document")
  if [ -n "$commands" ] && ! output=$(cd "$folder" && PATH="$folder/build:$PATH" bash -euo pipefail -c "$commands" 2>&1); then
    printf 'FAILED: %s\n%s\n%s\n' "$document" "$commands" "$output"
    failed=1
  fi
  rm -rf "$folder"
done
exit $failed
