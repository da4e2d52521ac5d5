# shellcheck shell=bash
# What tests/images/run does, step by step. Sourced by it; expects platforms, debian, quick and work.
agent_bytes_max=$((3 * 1024 * 1024))
coordinator_bytes_max=$((8 * 1024 * 1024))
version=9.8.7-proof
commit=0123456789ab
epoch=1700000000
build_date=2023-11-14T22:13:20Z

failures=()
unproven=()
facts=()
again=

wrong() {
  echo "WRONG: $*" >&2
  failures+=("$*")
}

could_not() {
  echo "NOT PROVEN: $*" >&2
  unproven+=("$*")
}

good() { echo "ok: $*"; }

must() { # must LOG COMMAND...: ends everything when it fails
  local log=$1
  shift
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    wrong "$1 ${2-} failed (whole log: $log)"
    exit 1
  fi
}

finish() {
  local status=$?
  end_again
  [ ${#facts[@]} -eq 0 ] || printf '%s\n' "" "facts:" "${facts[@]/#/  }"
  if [ ${#unproven[@]} -gt 0 ]; then
    printf '%s\n' "" "NOT PROVEN here:" "${unproven[@]/#/  }"
  fi
  if [ ${#failures[@]} -gt 0 ]; then
    printf '%s\n' "" "WRONG:" "${failures[@]/#/  }"
    exit 1
  fi
  [ "$status" -eq 0 ] && echo "images: all that was asked for and possible here is proven"
}

check_begin() {
  local tool missing=()
  for tool in buildah debootstrap readelf sha256sum cmake ninja; do
    command -v $tool >/dev/null || missing+=("$tool")
  done
  for tool in "${platforms[@]}"; do
    [ "$tool" = "$(dpkg --print-architecture)" ] || [ -n "$(emulator "$tool")" ] ||
      missing+=("an emulator for $tool (package qemu-user-static, on newer systems qemu-user)")
  done
  if [ "$(id -u)" -ne 0 ] || [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" -eq 0 ] || could_not "anything: this needs root, to make a base image and to run in it"
    [ ${#missing[@]} -eq 0 ] || could_not "anything: these tools are missing: ${missing[*]}"
    exit 77
  fi
  mkdir -p "$work/logs" "$work/out"
  chmod 755 "$work" "$work/out"
  local available_kib
  available_kib=$(df --output=avail -k "$work" | tail -n 1)
  [ "$available_kib" -gt $((8 * 1024 * 1024)) ] || { could_not "anything: $work has less than 8 GiB free" && exit 77; }
  driver=overlay
  if ! buildah --root "$work/storage" --runroot "$work/runroot" --storage-driver overlay info >/dev/null 2>&1; then
    driver=vfs # copies whole trees: slower, and works everywhere
  fi
}

image_tool() { buildah --root "$work/storage-$driver" --runroot "$work/runroot-$driver" --storage-driver "$driver" "$@"; }

# ------------------------------------------------------------------------------------------------ base

# site SUITE_PATTERN: the mirror that this machine's apt uses for it.
site() {
  apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk -v pattern="$1" '$1 ~ /\/debian(-security)?\/?$/ && $2 ~ pattern {print $1; exit}'
}

write_sources() {
  local root=$1 main=$2 security=$3
  rm -f "$root/etc/apt/sources.list"
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s %s-updates\nComponents: main\n' "$main" "$debian" "$debian"
    printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'
    if [ -n "$security" ]; then
      printf '\nTypes: deb\nURIs: %s\nSuites: %s-security\nComponents: main\n' "$security" "$debian"
      printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'
    fi
  } >"$root/etc/apt/sources.list.d/debian.sources"
  # The machine's own way to its mirror: proxies and the like.
  apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' >"$root/etc/apt/apt.conf.d/99machine" || true
}

make_base() {
  local name=docker.io/library/debian:$debian-slim
  image_tool inspect --type image "$name" >/dev/null 2>&1 && return
  local main security root=$work/base-$debian container
  main=$(site '^[a-z]+$')
  security=$(site '-security$')
  [ -n "$main" ] || { could_not "anything: this machine's apt names no Debian mirror" && exit 77; }
  rm -rf "$root"
  must "$work/logs/base-$debian" debootstrap --variant=minbase "$debian" "$root" "$main"
  write_sources "$root" "$main" "$security"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root/etc/resolv.conf"
  container=$(image_tool from scratch)
  must "$work/logs/base-$debian" image_tool add "$container" "$root" /
  image_tool config --cmd bash "$container"
  must "$work/logs/base-$debian" image_tool commit --rm "$container" "$name"
  rm -rf "$root"
}

# What git knows, as it lies in the tree now: both builds are made from the same copy.  New times, since what was built of
# an earlier copy may be newer than a file that came with a commit.
make_context() {
  rm -rf "$work/context"
  mkdir "$work/context"
  git -c safe.directory="$PWD" ls-files -z | tar --null --ignore-failed-read -c -T - 2>/dev/null | tar -x -m -C "$work/context"
  mkdir -p "$work/context/build" && echo "not for the image" >"$work/context/build/leftover"
}

# ----------------------------------------------------------------------------------------------- images

image_name() { echo "localhost/vpsie-$1:$debian-$2"; }

# Docker knows BUILDPLATFORM by itself; not every buildah does.
build_image() {
  local kind=$1 platform=$2 log=$work/logs/build-$debian-$1-$2 begun=$SECONDS
  must "$log" image_tool build --isolation chroot --pull-never --layers --platform "linux/$platform" \
    --build-arg "BUILDPLATFORM=linux/$(dpkg --print-architecture)" --build-arg "DEBIAN=$debian" --build-arg SOURCES=available \
    --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" \
    --build-arg "BUILD_DATE=$build_date" --build-arg "SOURCE_DATE_EPOCH=$epoch" \
    -f "$work/context/Dockerfile.$kind" -t "$(image_name "$kind" "$platform")" "$work/context"
  facts+=("build of $kind, linux/$platform, $debian: $((SECONDS - begun)) s, with the layers of before where they still fit")
  local notes=$work/logs/sources-$debian-$platform line
  if grep -q '^source: ' "$log"; then # else the libraries are those of an earlier run, and so are the notes
    grep -E '^(source|ATTENTION): ' "$log" >"$notes"
  fi
  [ "$kind" = agent ] || return 0
  while read -r line; do
    could_not "linux/$platform, $debian, with the newest sources: ${line#ATTENTION: }"
  done < <(grep -s '^ATTENTION' "$notes" || true)
}

expect() { # expect WHAT GOT WANTED
  if [ "$2" = "$3" ]; then good "$1: $2"; else wrong "$1: \"$2\", not \"$3\""; fi
}

inspect_image() {
  local kind=$1 platform=$2 name root container bytes limit files wanted elf label
  name=$(image_name "$kind" "$platform")
  ask() { image_tool inspect --type image --format "$1" "$name"; }
  expect "$kind, $platform: platform" "$(ask '{{.OCIv1.OS}}/{{.OCIv1.Architecture}}')" "linux/$platform"
  expect "$kind, $platform: user" "$(ask '{{.OCIv1.Config.User}}')" 65532:65532
  expect "$kind, $platform: entry point" "$(ask '{{.OCIv1.Config.Entrypoint}}')" "[/usr/local/bin/vpsie-$kind]"
  expect "$kind, $platform: path" "$(ask '{{.OCIv1.Config.Env}}')" "[PATH=/usr/local/bin]"
  label() { ask "{{index .OCIv1.Config.Labels \"org.opencontainers.image.$1\"}}"; }
  expect "$kind, $platform: label version" "$(label version)" "$version"
  expect "$kind, $platform: label revision" "$(label revision)" "$commit"
  expect "$kind, $platform: label created" "$(label created)" "$build_date"
  for label in title description vendor licenses source; do
    [ -n "$(label $label)" ] || wrong "$kind, $platform: no label $label"
  done

  container=$(image_tool from --pull-never "$name")
  root=$(image_tool mount "$container")
  files=$(cd "$root" && find . -type f -o -type l | sort | tr '\n' ' ')
  wanted="./usr/local/bin/vpsie-$kind "
  [ "$kind" = agent ] || wanted="./etc/ssl/certs/ca-certificates.crt ./usr/local/bin/vpsie-$kind "
  expect "$kind, $platform: files" "$files" "$wanted"
  bytes=$(cd "$root" && find . -type f -printf '%s\n' | awk '{sum += $1} END {print sum}')
  [ "$kind" = agent ] && limit=$agent_bytes_max || limit=$coordinator_bytes_max
  if [ "$bytes" -le "$limit" ]; then good "$kind, $platform: $bytes bytes, at most $limit"; else
    wrong "$kind, $platform: $bytes bytes, more than $limit"
  fi
  facts+=("$kind, linux/$platform, $debian: image $bytes bytes, program $(stat -c %s "$root/usr/local/bin/vpsie-$kind"), layers $(ask '{{len .OCIv1.RootFS.DiffIDs}}')")
  mkdir -p "$work/out/$debian-$platform"
  install -m 755 "$root/usr/local/bin/vpsie-$kind" "$work/out/$debian-$platform/vpsie-$kind"
  if [ "$kind" = coordinator ]; then
    expect "$kind, $platform: authorities" "$(grep -c 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt" | awk '{print ($1 > 50)}')" 1
  fi
  image_tool rm "$container" >/dev/null

  elf=$(readelf -lhd --wide "$work/out/$debian-$platform/vpsie-$kind")
  grep -q INTERP <<<"$elf" && wrong "$kind, $platform: asks for an interpreter"
  grep -q NEEDED <<<"$elf" && wrong "$kind, $platform: needs shared libraries"
  grep -q 'Type: *DYN' <<<"$elf" || wrong "$kind, $platform: is not position-independent"
  grep -q GNU_RELRO <<<"$elf" || wrong "$kind, $platform: has no RELRO"
  grep -q 'FLAGS.*NOW' <<<"$elf" || wrong "$kind, $platform: binds late"
  grep -q 'GNU_STACK.* RW ' <<<"$elf" || wrong "$kind, $platform: has an executable stack"
  [ "$platform" = amd64 ] && wanted=X86-64 || wanted=AArch64
  grep -q "Machine:.*$wanted" <<<"$elf" || wrong "$kind, $platform: is for another machine"
  good "$kind, $platform: static, position-independent, full RELRO"
}

# ------------------------------------------------------------------------------------------------- runs

# The emulator that this machine needs for a platform: a static program, so that it runs in any root. Nothing when none is needed.
emulator() {
  local qemu=qemu-aarch64
  [ "$1" = arm64 ] || qemu=qemu-x86_64
  [ "$1" = "$(dpkg --print-architecture)" ] || command -v $qemu-static || command -v $qemu || true
}

ask_program() {
  local kind=$1 platform=$2 program=$work/out/$debian-$2/vpsie-$1 said
  local run=(setpriv --reuid 65532 --regid 65532 --clear-groups)
  # shellcheck disable=SC2046 # no word or one
  run+=($(emulator "$platform") "$program")
  said=$(cd / && env -i "${run[@]}" version)
  expect "$kind, $platform: version" "$said" "vpsie-$kind $version (commit $commit, built $build_date, linux/$platform)"
  said=$(cd / && env -i "${run[@]}" --help) || wrong "$kind, $platform: --help fails"
  grep -q -- --log-level <<<"$said" && good "$kind, $platform: --help" || wrong "$kind, $platform: --help does not list --log-level"
  if [ "$kind" = agent ]; then
    # shellcheck disable=SC2046 # no word or one
    said=$(cd / && env -i $(emulator "$platform") "$program" --once --node-name proof 2>&1) || true
    if grep -q '^node *proof' <<<"$said" && grep -q '^readiness' <<<"$said"; then good "agent, $platform: --once reads this machine"; else
      wrong "agent, $platform: --once says: $said"
    fi
  fi
}

build_stage() {
  [ -z "${stage_built-}" ] || return 0
  must "$work/logs/stage" cmake -S "$work/context" -B "$work/stage" -G Ninja -DCMAKE_BUILD_TYPE=Debug
  must "$work/logs/stage" cmake --build "$work/stage" --target e2e_scale
  stage_built=yes
}

# Real servers of the test world, TLS, agents, the admin socket: the programs are those of the images.
let_them_talk() {
  local platform=$1 programs=$work/out/$debian-$1 log=$work/logs/talk-$debian-$1 name
  build_stage
  if [ -n "$(emulator "$platform")" ]; then
    mkdir -p "$programs/emulated"
    for name in vpsie-agent vpsie-coordinator; do
      printf '#!/bin/sh\nexec %s %s/%s "$@"\n' "$(emulator "$platform")" "$programs" $name >"$programs/emulated/$name"
      chmod 755 "$programs/emulated/$name"
    done
    programs=$programs/emulated
  fi
  if (cd "$work" && VPSIE_BIN_DIR=$programs timeout 900 "$work/stage/bin/e2e_scale") >"$log" 2>&1; then
    good "$platform: the programs of the images scaled a cluster up and down over TLS"
    facts+=("linux/$platform: e2e_scale passed with the images' programs")
  else
    tail -n 30 "$log" >&2
    wrong "$platform: e2e_scale with the images' programs (whole log: $log)"
  fi
}

# -------------------------------------------------------------------------------------------- once more

in_again() {
  image_tool run --isolation chroot --env "TARGETARCH=$1" --env SOURCES=available --env "VERSION=$version" --env "COMMIT=$commit" \
    --env "BUILD_DATE=$build_date" --env "SOURCE_DATE_EPOCH=$epoch" "${mounts[@]}" "$again" -- "${@:2}"
}

# The same steps as the Dockerfiles' in a container of its own, from nothing (with --quick: with the libraries of before).
build_again() {
  local platform=$1 log=$work/logs/again-$debian-$1 builder
  mounts=()
  if [ -n "$quick" ]; then
    must "$log" image_tool build --isolation chroot --pull-never --layers --platform "linux/$platform" --target builder \
      --build-arg "BUILDPLATFORM=linux/$(dpkg --print-architecture)" --build-arg "DEBIAN=$debian" --build-arg SOURCES=available \
    --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" \
      --build-arg "BUILD_DATE=$build_date" --build-arg "SOURCE_DATE_EPOCH=$epoch" \
      -f "$work/context/Dockerfile.coordinator" -t localhost/vpsie-builder "$work/context"
    again=$(image_tool from --pull-never localhost/vpsie-builder)
    must "$log" in_again "$platform" rm -rf /build /out
    could_not "$platform: that the libraries come out the same when built from nothing (--quick)"
  else
    builder=docker.io/library/debian:$debian-slim
    again=$(image_tool from --pull-never "$builder")
    must "$log" image_tool copy "$again" "$work/context/deploy/image/" "$work/context/cmake/debian-target.cmake" /image/
    must "$log" image_tool copy "$again" "$work/context/" /source/
    local begun=$SECONDS
    must "$log" in_again "$platform" /image/install
    must "$log" in_again "$platform" /image/libraries
    facts+=("linux/$platform, $debian: cold build of toolchain and libraries $((SECONDS - begun)) s")
  fi
  must "$log" in_again "$platform" /source/deploy/image/program vpsie-agent
  must "$log" in_again "$platform" /source/deploy/image/program vpsie-coordinator
}

compare_builds() {
  local platform=$1 kind root first second
  root=$(image_tool mount "$again")
  for kind in agent coordinator; do
    first=$(sha256sum <"$work/out/$debian-$platform/vpsie-$kind" | cut -d' ' -f1)
    second=$(sha256sum <"$root/out/vpsie-$kind" | cut -d' ' -f1)
    expect "$kind, $platform: built twice" "$second" "$first"
    facts+=("$kind, linux/$platform, $debian: sha256 $first, $second")
  done
}

# With the newest emulator that the suite has, which knows more system calls than the machine's own may.
run_unit_tests() {
  local platform=$1 log=$work/logs/unit-$debian-$1 qemu=/usr/bin/qemu-aarch64 passed skipped
  [ -z "$quick" ] || { could_not "$platform: the unit tests under emulation (--quick)" && return; }
  [ "$platform" = arm64 ] || qemu=/usr/bin/qemu-x86_64
  mounts=()
  must "$log" image_tool copy "$again" "$work/context/" /source/ # the tests too, which the images' context leaves out
  must "$log" in_again "$platform" apt-get install -y -q --no-install-recommends "libcmocka-dev:$platform" qemu-user
  must "$log" in_again "$platform" /bin/bash -c '. /image/common.sh && cmake -S /source -B /build/tests -G Ninja \
    -DCMAKE_TOOLCHAIN_FILE=/source/cmake/debian-target.cmake -DVPSIE_TARGET=$triplet -DVPSIE_PREFIX=$prefix \
    -DCMAKE_BUILD_TYPE=Release -DVPSIE_STATIC=ON -DCMAKE_CROSSCOMPILING_EMULATOR='$qemu' && cmake --build /build/tests'
  # Of the random lives only some: it is the compiler's other platform that is tested here, ten times slower.
  if in_again "$platform" env "VPSIE_EMULATOR=$qemu" SIM_SEEDS=8 ctest --test-dir /build/tests -L unit --verbose >"$log-run" 2>&1 &&
    grep -q 'tests passed' "$log-run"; then
    good "$platform: unit tests under emulation: $(grep 'tests passed' "$log-run")"
  else
    sed -n '/tests passed/,$p' "$log-run" >&2
    wrong "$platform: unit tests under emulation (whole log: $log-run)"
  fi
  while read -r skipped; do
    could_not "$platform: under emulation: $skipped"
  done < <(sed -n 's/.*NOT TESTED: //p' "$log-run" | sort -u)
  passed=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test(s)\..*/\1/p' "$log-run" | awk '{sum += $1} END {print sum + 0}')
  facts+=("linux/$platform, $debian: unit tests under emulation: $(grep 'tests passed' "$log-run" || echo none), $passed single tests")
}

end_again() {
  [ -z "$again" ] || image_tool rm "$again" >/dev/null 2>&1 || true
  again=
}
