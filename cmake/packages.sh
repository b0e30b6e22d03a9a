# Sourced by the scripts beside it: installs the Debian packages named as arguments that are missing. Where all are
# there, or where there is no dpkg, the package manager is not touched.
install_missing_packages() {
  command -v dpkg-query >/dev/null || return 0
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "These packages are missing, and there is no sudo: run as root: apt-get install ${missing[*]}" >&2
      return 1
    }
    as_root=(sudo)
  fi
  echo "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# What the programs are built with.
program_packages=(g++ cmake make libxsimd-dev libeigen3-dev libcli11-dev nlohmann-json3-dev zlib1g-dev libcsv-dev
                  liblbfgs-dev gnuplot-nox libzstd-dev libmagic-dev libicu-dev)
# What the tests and benchmarks need besides; clang with its sanitizers as the second compiler; a BLAS and oneDNN for the
# products that go through them; an emulator of older CPUs.
test_packages=(catch2 libbenchmark-dev clang clang-format libclang-rt-dev libopenblas-dev libdnnl-dev qemu-user)
# The hosts of the adapters that Debian has, and both MPIs. Without them their tests are left out, with a line that says so.
host_packages=(libtorch-dev libdlib-dev libarmadillo-dev libopenmpi-dev openmpi-bin libmpich-dev mpich pkg-config)
