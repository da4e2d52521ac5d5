#!/usr/bin/env bash
# All tests, on a fresh Debian or Ubuntu machine, as root or with sudo: installs what it needs, builds, and runs the unit
# tests, the core against the simulated world, and the real programs against real servers; then again under
# AddressSanitizer and UndefinedBehaviorSanitizer. Exits non-zero if anything fails.
#
#   ./test.sh                everything
#   ./test.sh --quick        the release build only
#   ./test.sh -R REGEX ...   further arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")"

presets=(release asan)
if [ "${1-}" = --quick ]; then
  presets=(release)
  shift
fi
case "${1-}" in
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

.ci/install
jobs=$(nproc)
export CTEST_OUTPUT_ON_FAILURE=1
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
for preset in "${presets[@]}"; do
  echo "== build: $preset"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "$jobs"
done
for preset in "${presets[@]}"; do
  echo "== tests: $preset"
  build=build
  [ "$preset" = release ] || build=build/$preset
  ctest --test-dir "$build" -j "$jobs" "$@"
done
