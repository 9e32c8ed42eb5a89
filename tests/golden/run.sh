#!/usr/bin/env bash
# Runs the RUN lines of a golden test: %descent is the command, %s the file itself, FileCheck compares.
set -o pipefail
file=$1
grep -oP '(?<=RUN: ).*' "$file" | while read -r line; do
  line=${line//%descent/$DESCENT}
  line=${line//FileCheck/$FILECHECK}
  line=${line//%s/$file}
  eval "$line" || { echo "failed: $line"; exit 1; }
done
