#!/usr/bin/env bash
# Line coverage of the pure core by the unit tests and the simulator. Needs gcovr (apt-get install gcovr).
#   tests/coverage.sh [least percent a folder]
set -euo pipefail
cd "$(dirname "$0")/.."
least=${1:-95}
command -v gcovr >/dev/null || { echo "coverage: gcovr is not installed: apt-get install gcovr" >&2; exit 2; }
cmake --preset coverage >/dev/null
targets=$(ninja -C build/coverage -t targets all | grep -oE '^(bin/)?unit_(model|schedule|decide|plan|sim)_[a-z_0-9]+: ' | tr -d ': ' | sort -u)
ninja -C build/coverage $(basename -a $targets | sort -u) >/dev/null
find build/coverage -name '*.gcda' -delete
ctest --test-dir build/coverage -R '^unit_(model|schedule|decide|plan|sim)_' -j "$(nproc)" >/dev/null || {
  echo "coverage: a test failed; see ctest --test-dir build/coverage" >&2
  exit 1
}
status=0
for folder in model schedule decide; do
  gcovr -r . --filter "coordinator/$folder/" --exclude-unreachable-branches --fail-under-line "$least" \
    build/coverage | grep -E '^(TOTAL|coordinator)' | sed "s|^TOTAL|$folder, all|" || status=1
done
exit $status
