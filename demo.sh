#!/usr/bin/env bash
# The main job on a fresh Debian or Ubuntu machine, as root or with sudo, in under two minutes: installs what it needs, builds,
# and lives through a story with the real coordinator and real agents against a played Kubernetes and VPSie.
#
#   ./demo.sh          the story; exits 0 only if every step truly happened
#   ./demo.sh --keep   afterwards leaves it running, with hints how to look around
set -euo pipefail
cd "$(dirname "$0")"
case "${1-}" in
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
.ci/install
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "building ..."
if ! { cmake --preset release && cmake --build --preset release --target vpsie-demo; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "demo: the build failed" >&2
  exit 1
fi
build/bin/vpsie-demo "$@"
