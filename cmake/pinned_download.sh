# Sourced by the scripts beside it: what does not change is downloaded once, into a cache folder outside the tree.
cache_folder() { # cache_folder [DIR]: absolute, made if it is absent
  local folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/prefopt}
  mkdir -p "$folder"
  (cd "$folder" && pwd)
}

pinned_download() { # pinned_download URL SHA256 FILE: leaves FILE, whole and with that checksum, or ends the script
  local url=$1 checksum=$2 file=$3
  if [ ! -f "$file" ]; then
    echo "Downloading $url" >&2
    if ! curl --fail --silent --show-error --location --retry 3 --output "$file.part" "$url"; then
      rm -f "$file.part"
      echo "$(basename "$0"): could not download $url" >&2
      exit 1
    fi
    mv "$file.part" "$file"
  fi
  if ! echo "$checksum  $file" | sha256sum --check --status; then
    echo "$(basename "$0"): $file has the SHA-256 checksum $(sha256sum "$file" | cut -d ' ' -f 1), expected $checksum" >&2
    rm -f "$file"
    exit 1
  fi
}
