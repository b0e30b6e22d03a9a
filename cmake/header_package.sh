# Sourced by the scripts beside it.
# header_package FOLDER NAME TARGET HEADERS…: in FOLDER, a CMake package of one header-only target that holds just the
# given header folders or files, not what lies beside them. Use it by -D<NAME>_DIR=FOLDER.
header_package() {
  local folder=$1 name=$2 target=$3 header
  shift 3
  mkdir -p "$folder/$name"
  for header in "$@"; do
    ln -sfn "$(realpath "$header")" "$folder/$name/$(basename "$header")"
  done
  cat >"$folder/${name}Config.cmake" <<END
if(NOT TARGET $target)
  add_library($target INTERFACE IMPORTED)
  target_include_directories($target SYSTEM INTERFACE "\${CMAKE_CURRENT_LIST_DIR}/$name")
endif()
END
}
