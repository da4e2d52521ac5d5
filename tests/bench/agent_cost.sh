#!/bin/sh
# What an agent costs a node of 110 pods and 2,000 processes: resident memory, threads, CPU time a sample.
#     tests/bench/agent_cost.sh [BUILD-DIRECTORY] [REPORTS]
# The build directory (default: build) is configured with the preset `release`; both programs are built when missing.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build}
reports=${2:-60}
[ -f "$build/build.ninja" ] || [ -f "$build/Makefile" ] || cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$build" --target vpsie-agent bench-agent --parallel 2 >/dev/null
exec "$build/bin/bench-agent" "$build/bin/vpsie-agent" "$reports"
