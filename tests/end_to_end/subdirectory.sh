#!/usr/bin/env bash
# A program's project can take Descent in by add_subdirectory, as docs/embedding.md says: it is configured, with what belongs
# to Descent's own tests left out.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(program CXX)
add_subdirectory($SOURCE_DIR descent)
add_executable(program program.cpp)
target_link_libraries(program PRIVATE descent::descent)
END
echo 'int main() {}' >program.cpp
cmake -G Ninja -S . -B build >log 2>&1 || { echo "FAILED: $(tail -20 log)"; exit 1; }
targets=$(cmake --build build --target help)
grep -q 'descent_runtime' <<<"$targets" || { echo "FAILED: no library"; exit 1; }
if grep -q 'test_runtime' <<<"$targets"; then echo "FAILED: tests are built"; exit 1; fi
