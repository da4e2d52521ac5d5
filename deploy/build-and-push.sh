#!/usr/bin/env bash
# Builds both images for both platforms and pushes them, then shows what the registry now holds.
#
#   VERSION=1.0.0 deploy/build-and-push.sh
#   deploy/build-and-push.sh --version 1.0.0 --registry registry.example/team
#   deploy/build-and-push.sh --load                  one platform into the local Docker, nothing is pushed
#   deploy/build-and-push.sh --dry-run               prints the commands
#
#   --version VERSION    tag beside "latest" (default: $VERSION, else git describe without its v)
#   --registry PREFIX    where to (default: $REGISTRY, else ghcr.io/vpsieinc)
#   --platforms LIST     default linux/amd64,linux/arm64; with --load the machine's own
#   --debian SUITE       base of the build: trixie (default) or bookworm
#   --sources POLICY     newest (default); available: older source packages where the mirror lacks the newest
#   --cache              use layers of earlier builds (default: --no-cache, so that package updates are taken)
#   --no-latest          do not move the tag "latest"
#   --load, --dry-run    see above
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "build-and-push: $1" >&2
  [ $# -lt 2 ] || echo "  try: $2" >&2
  exit 1
}

version=${VERSION-}
registry=${REGISTRY:-ghcr.io/vpsieinc}
platforms=
debian=trixie
sources=newest
cache=--no-cache
latest=yes
load=
dry=
while [ $# -gt 0 ]; do
  case $1 in
    --version | --registry | --platforms | --debian | --sources)
      [ -n "${2-}" ] || fail "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    --cache) cache= ;;
    --no-latest) latest= ;;
    --load) load=yes ;;
    --dry-run) dry=yes ;;
    -h | --help) sed -n '2,18s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) fail "\"$1\" is no option" "deploy/build-and-push.sh --help" ;;
  esac
  shift
done

commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
[ -n "$version" ] || version=$(git describe --tags --match 'v*' --dirty 2>/dev/null | sed 's/^v//') || true
[ -n "$version" ] || fail "which version? there is no tag v* here" "VERSION=1.0.0 deploy/build-and-push.sh"
version=${version#v}
[[ $version =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || fail "\"$version\" cannot be a tag: letters, digits, . _ - only"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
build_date=${BUILD_DATE:-$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)}
if [ -z "$platforms" ]; then
  platforms=linux/amd64,linux/arm64
  if [ -n "$load" ]; then
    case $(uname -m) in
      aarch64 | arm64) platforms=linux/arm64 ;;
      *) platforms=linux/amd64 ;;
    esac
  fi
fi
[ -z "$load" ] || [[ $platforms != *,* ]] || fail "--load takes one platform: Docker's own store holds no manifest list" "--platforms linux/amd64"
[ -z "$(git status --porcelain 2>/dev/null)" ] || echo "build-and-push: uncommitted changes are built too; $commit does not say so" >&2

run() {
  echo "+ $*"
  [ -n "$dry" ] || "$@"
}

# What is missing is said before an hour of building, not after.
check_docker() {
  command -v docker >/dev/null || fail "there is no docker here" "install Docker with its buildx plugin"
  docker buildx version >/dev/null 2>&1 || fail "docker has no buildx plugin" "apt-get install docker-buildx-plugin"
  docker info >/dev/null 2>&1 || fail "the Docker daemon does not answer" "systemctl start docker; are you in the group docker?"
}

check_builder() {
  [ -z "$load" ] || return 0
  local driver
  driver=$(docker buildx inspect 2>/dev/null | awk '$1 == "Driver:" {print $2; exit}')
  case $driver in
    "") fail "buildx has no usable builder" "docker buildx create --name vpsie --driver docker-container --use --bootstrap" ;;
    docker)
      if [[ $platforms == *,* ]] && ! docker info --format '{{json .DriverStatus}}' 2>/dev/null | grep -q containerd; then
        fail "the builder \"$(docker buildx inspect | awk '$1 == "Name:" {print $2; exit}')\" (driver docker) cannot make images of several platforms" \
          "docker buildx create --name vpsie --driver docker-container --use --bootstrap"
      fi
      ;;
  esac
}

check_login() {
  [ -z "$load" ] || return 0
  local host=${registry%%/*} config=${DOCKER_CONFIG:-$HOME/.docker}/config.json
  [[ $host == localhost* ]] && return 0
  grep -q -e "\"$host\"" -e '"credsStore"' "$config" 2>/dev/null ||
    fail "not logged in to $host" "echo \$TOKEN | docker login $host -u USER --password-stdin   (a token that may write packages)"
}

check_space() {
  local root available_kib
  root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) || return 0
  [ -d "$root" ] || return 0 # the daemon is on another machine
  available_kib=$(df --output=avail -k "$root" | tail -n 1)
  [ "$available_kib" -ge $((6 * 1024 * 1024)) ] ||
    fail "$root has $((available_kib / 1024)) MiB free; a build of both platforms takes about 6 GiB" "docker buildx prune"
}

# The builder stage runs on this machine's own platform and compiles for the others, so that no emulator is needed, unless
# the base image for this machine itself is foreign to it.
explain_failure() {
  local log=$1
  if grep -q "exec format error" "$log"; then
    fail "a program of another platform was started: buildx ignored --platform=\$BUILDPLATFORM" \
      "an up-to-date buildx, or an emulator: docker run --privileged --rm tonistiigi/binfmt --install all"
  elif grep -qi "no space left on device" "$log"; then
    fail "the disk is full" "docker buildx prune; docker system df"
  elif grep -qi "toomanyrequests" "$log"; then
    fail "Docker Hub gives no more base images without a login for now" "docker login, or the same later"
  elif grep -qiE "debian:[a-z]+-slim.*(not found|failed to resolve|failed to do request|denied|unauthorized)|manifest unknown" "$log"; then
    fail "the base image debian:$debian-slim cannot be had" "docker pull debian:$debian-slim; is a mirror or proxy in the way?"
  elif grep -qiE "unauthorized|denied|authentication required|insufficient_scope" "$log"; then
    fail "the registry refused: the login has ended, or its token may not write ${registry}" "docker login ${registry%%/*}"
  elif grep -q "SOURCES=available takes an older one" "$log"; then
    fail "the package mirror lags behind its index" "the same in an hour, with another mirror, or with --sources available"
  fi
  fail "the build failed; its last lines are above" "the same with --platforms of one platform, to see which one fails"
}

build() {
  local kind=$1 image=$registry/vpsie-autoscaler-$1 log
  local arguments=(buildx build --platform "$platforms" --file "Dockerfile.$kind" --tag "$image:$version"
    --build-arg "DEBIAN=$debian" --build-arg "SOURCES=$sources" --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "BUILD_DATE=$build_date"
    --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH")
  [ -z "$latest" ] || arguments+=(--tag "$image:latest")
  [ -z "$cache" ] || arguments+=("$cache")
  if [ -n "$load" ]; then arguments+=(--load); else arguments+=(--push); fi
  log=$(mktemp)
  if ! run docker "${arguments[@]}" . 2>&1 | tee "$log"; then
    echo "build-and-push: the whole log: $log" >&2
    explain_failure "$log"
  fi
  rm -f "$log"
}

if [ -z "$dry" ]; then
  check_docker
  check_builder
  check_login
  check_space
fi
for kind in agent coordinator; do
  build "$kind"
done
for kind in agent coordinator; do
  image=$registry/vpsie-autoscaler-$kind
  if [ -n "$load" ]; then
    run docker run --rm "$image:$version" version ||
      fail "$image:$version is loaded, but does not run here: is $platforms foreign to this machine?" \
        "an emulator: docker run --privileged --rm tonistiigi/binfmt --install ${platforms#linux/}"
  else
    run docker buildx imagetools inspect "$image:$version"
    [ -z "$latest" ] || run docker buildx imagetools inspect "$image:latest"
  fi
done
[ -n "$dry" ] || [ -n "$load" ] || echo "pushed: $registry/vpsie-autoscaler-{agent,coordinator}:$version${latest:+, latest}"
