# shellcheck shell=bash disable=SC2034 # read by those who source it
# Sourced by the scripts beside it, which run in the builder stage of both Dockerfiles. Says for which machine is compiled.
set -euo pipefail

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

build_arch=$(dpkg --print-architecture)
target_arch=${TARGETARCH:-$build_arch}
case $target_arch in
  amd64) triplet=x86_64-linux-gnu ;;
  arm64) triplet=aarch64-linux-gnu ;;
  *) fail "\"$target_arch\" is not a platform of these images: amd64, arm64" ;;
esac
prefix=/opt/static/$triplet

# Archives must not tell when and by whom they were made, nor where.
export ZERO_AR_DATE=1 LC_ALL=C TZ=UTC
hardening="-fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE"
sections="-ffunction-sections -fdata-sections"
