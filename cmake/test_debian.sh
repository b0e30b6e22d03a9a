#!/usr/bin/env bash
# The quick start and the tests on an empty Debian.
set -euo pipefail

usage() {
  cat <<'END'
cmake/test_debian.sh [OPTION]... [RELEASE]...
Makes an empty tree of each Debian release (default: bookworm trixie), copies the checkout into it, and runs there, as a
new user would: cmake/quickstart.sh, then cmake/test.sh. Needs root, debootstrap and the network.

  --quick            instead: cmake/test_versions.sh with every compiler that the release has
  --no-quickstart    the tests alone
  --cache FOLDER     where the empty trees are kept, as FOLDER/RELEASE, to be copied for each run (default:
                     /var/cache/prefopt-debian); a tree that is there is not downloaded again
  --mirror ADDRESS   a Debian mirror (default: http://deb.debian.org/debian)
  --keep             leave the used tree, as FOLDER/used-RELEASE
  --help             this text
END
}

die() {
  echo "test_debian.sh: $*" >&2
  exit 2
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=/var/cache/prefopt-debian mirror=http://deb.debian.org/debian quick= keep= quickstart=1
releases=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --quick) quick=1 ;;
    --keep) keep=1 ;;
    --no-quickstart) quickstart= ;;
    --cache | --mirror)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift ;;
    -*) die "unknown option $1, see --help" ;;
    *) releases+=("$1") ;;
  esac
  shift
done
[ "${#releases[@]}" -gt 0 ] || releases=(bookworm trixie)
for release in "${releases[@]}"; do
  [[ $release =~ ^(bookworm|trixie)$ ]] || die "release $release, expected bookworm or trixie"
done
[ "$(id -u)" -eq 0 ] || die "a tree of its own needs root: sudo $0 …"
command -v debootstrap >/dev/null || die "no debootstrap (Debian: apt-get install debootstrap)"

compilers_bookworm="g++-12 clang-14 clang-15 clang-16"
compilers_trixie="g++-12 g++-13 g++-14 clang-17 clang-18 clang-19"

run() { # run RELEASE
  local release=$1 tree=$cache/used-$1 compilers="compilers_$1" commands
  mkdir -p "$cache"
  if [ ! -f "$cache/$release/etc/debian_version" ]; then
    rm -rf "$cache/$release.part"
    debootstrap --variant=minbase "$release" "$cache/$release.part" "$mirror"
    mv "$cache/$release.part" "$cache/$release"
  fi
  rm -rf "$tree"
  cp -a --reflink=auto "$cache/$release" "$tree"
  mkdir "$tree/root/prefopt"
  # What is not ignored: build folders stay behind.
  git -C "$checkout" ls-files -z --cached --others --exclude-standard --deduplicate |
    tar -C "$checkout" --null --ignore-failed-read -T - -c | tar -C "$tree/root/prefopt" -x
  cp /etc/resolv.conf "$tree/etc/resolv.conf"
  if [ -n "$quick" ]; then
    commands="export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends libxsimd-dev libeigen3-dev cmake make catch2 ${!compilers} >/dev/null
cmake/test_versions.sh"
  else
    commands="${quickstart:+cmake/quickstart.sh
}cmake/test.sh"
  fi
  # The mounts end with the namespace, however the commands end.
  SECONDS=0
  if unshare --mount sh -ec 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" && exec chroot "$0" /usr/bin/env -i \
      HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -ec "cd /root/prefopt; $1"' "$tree" "$commands"; then
    echo "== $release: passed in $SECONDS s"
  else
    echo "== $release: FAILED after $SECONDS s"
    return 1
  fi
}

status=0
for release in "${releases[@]}"; do
  echo "== $release"
  run "$release" || status=1
  [ -n "$keep" ] || rm -rf "$cache/used-$release"
done
exit $status
