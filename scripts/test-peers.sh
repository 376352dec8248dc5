#!/usr/bin/env bash
# Fetches the programs that test/real/peers compares regi with, and unpacks them. Nothing is installed: no script of a
# package runs, and no service starts.
#
#   scripts/test-peers.sh [FOLDER]   # $REGI_TEST_PEERS, or a folder in the cache where the tests find it
#
# FOLDER/system/bin has the programs of this machine's Debian release, FOLDER/sid/bin newer ones of Debian sid. Each package
# is kept by version, so a second run fetches only new versions. A package that cannot be fetched is skipped with a line on
# standard error. Prints the packages of both sets; status 1 means that a program is missing.
set -euo pipefail

SYSTEM_PACKAGES=(docker.io docker-cli containerd runc)
# The libraries are for skopeo, whose C library is newer than that of a stable release.
SID_PACKAGES=(crane oras cosign skopeo umoci docker.io docker-cli containerd
  libc6 libgpgme45 libassuan9 libgpg-error0 libsqlite3-0)
SYSTEM_PROGRAMS=(docker dockerd containerd ctr runc)
SID_PROGRAMS=(crane oras cosign skopeo umoci docker dockerd containerd ctr)

# Minutes after which the package lists of sid are fetched again.
LISTS_MINUTES=1440

main() {
  FOLDER=${1:-${REGI_TEST_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/regi-test/peers}}
  mkdir -p "$FOLDER"
  FOLDER=$(cd "$FOLDER" && pwd)
  exec 9>"$FOLDER/lock"
  flock 9

  local status=0
  fetch_set system "${SYSTEM_PACKAGES[@]}"
  if use_sid; then fetch_set sid "${SID_PACKAGES[@]}"; fi
  describe_set system "${SYSTEM_PROGRAMS[@]}" || status=1
  describe_set sid "${SID_PROGRAMS[@]}" || status=1
  return $status
}

# Options of apt: none for the machine's own release.
APT=()

# Points apt at package lists of sid that belong to this folder alone.
use_sid() {
  local apt=$FOLDER/apt mirror
  mirror=$(apt-get indextargets --format '$(COMPONENT) $(SITE)' | awk '$1 == "main" && $2 ~ /\/debian\/?$/ { print $2; exit }')
  if [[ -z $mirror ]]; then
    echo "test-peers: found no mirror of Debian in apt's configuration" >&2
    return 1
  fi
  mkdir -p "$apt/lists/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$apt/sid.list"
  APT=(-o "Dir::Etc::sourcelist=$apt/sid.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$apt/lists"
    -o "Dir::Cache::pkgcache=$apt/pkgcache.bin" -o "Dir::Cache::srcpkgcache=$apt/srcpkgcache.bin")
  [[ -z $(find "$apt/updated" -mmin "-$LISTS_MINUTES" 2>/dev/null) ]] || return 0
  if thrice apt_get update; then touch "$apt/updated"; else echo "test-peers: cannot fetch the package lists of sid" >&2; fi
}

# Fetches the candidate version of each package into FOLDER/SET/PACKAGE_VERSION, and links all programs from FOLDER/SET/bin.
fetch_set() {
  local set=$FOLDER/$1 package version
  shift
  mkdir -p "$set"
  while read -r package version; do
    [[ -d $set/${package}_$version ]] || fetch "$set" "$package" "$version" ||
      echo "test-peers: cannot fetch $package $version" >&2
  done < <(candidates "$@")
  link_programs "$set"
}

# Prints "PACKAGE VERSION" for each package that apt knows. Its native architecture only.
candidates() {
  apt-cache "${APT[@]}" policy "$@" 2>/dev/null |
    awk '/^[^ ]/ { sub(/:.*/, "", $1); package = $1 } $1 == "Candidate:" && $2 != "(none)" { print package, $2 }'
}

fetch() {
  local set=$1 package=$2 version=$3 part=$1/part
  rm -rf "$part"
  mkdir -p "$part/root"
  (cd "$part" && thrice apt_get download "$package=$version") || return
  dpkg -x "$part"/*.deb "$part/root" || return
  rm -rf "$set/${package}"_*
  mv "$part/root" "$set/${package}_$version"
  rm -rf "$part"
}

link_programs() {
  local set=$1 program bin=$1/bin.new
  rm -rf "$bin"
  mkdir "$bin"
  for program in "$set"/*/usr/bin/* "$set"/*/usr/sbin/*; do
    [[ -f $program && -x $program ]] || continue
    if [[ -e $(loader "$set") && ${program##*/} == skopeo ]]; then
      wrapper "$set" "$program" >"$bin/${program##*/}"
      chmod +x "$bin/${program##*/}"
    else
      ln -sf "$program" "$bin/"
    fi
  done
  rm -rf "$set/bin"
  mv "$bin" "$set/bin"
}

# The dynamic loader of the set's own C library; nothing when it has none.
loader() {
  find "$1"/libc6_*/ -name 'ld-linux*.so.*' -print -quit 2>/dev/null
}

# Prints a script that runs a program with the C library and the libraries of its set.
wrapper() {
  local set=$1 program=$2 libraries
  libraries=$(find "$set"/*_*/usr/lib/*-linux-gnu* -maxdepth 0 -printf '%p:')
  printf '#!/bin/sh\nexec %q --library-path %q %q "$@"\n' "$(loader "$set")" "${libraries%:}" "$program"
}

# Prints what a set has, and what it lacks: status 1 then.
describe_set() {
  local set=$1 program folder present=() missing=()
  shift
  for folder in "$FOLDER/$set"/*_*/; do
    folder=$(basename "$folder")
    [[ $folder == lib* || $folder == '*_*' ]] || present+=("${folder/_/ }")
  done
  for program in "$@"; do [[ -x $FOLDER/$set/bin/$program ]] || missing+=("$program"); done
  (
    IFS=,
    local line="${present[*]:-nothing}"
    [[ ${#missing[@]} -eq 0 ]] || line+="; missing: ${missing[*]}"
    echo "peers ($set): ${line//,/, }"
  )
  [[ ${#missing[@]} -eq 0 ]]
}

apt_get() {
  apt-get -qq "${APT[@]}" -o Acquire::Retries=5 -o APT::Sandbox::User=root "$@" >&2
}

# Mirrors fail now and then.
thrice() {
  "$@" || { sleep 5 && "$@"; } || { sleep 20 && "$@"; }
}

main "$@"
