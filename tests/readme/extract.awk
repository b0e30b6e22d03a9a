# Cuts the C++ blocks out of the files FOLDER/README.md under ROOT. Block N is FOLDER_N, or front_N in ROOT itself. HOSTS are
# names, HEADERS the beginnings of what a block includes that calls each; a block goes to OUT/HOST, or to OUT/none.
#   with a main    FOLDER_N.cpp; a text block after it is its output, FOLDER_N.expected
#   without one    a part of fragments.cpp, in a namespace FOLDER_N: declarations, or, where it includes nothing, the body
#                  of a function
# The compiler is told which file and line each line comes from.
function place(line) { return "#line " line " \"" FILENAME "\"\n" }
function finish(   i, h, host, has_main, has_include, file, declared) {
  host = "none"
  for (i = 1; i <= lines; ++i) {
    if (text[i] ~ /^int main/) has_main = 1
    if (text[i] ~ /^#include /) has_include = 1
    for (h = 1; h <= hosts; ++h) if (index(text[i], "#include " header[h]) == 1) host = name[h]
  }
  output = ""
  if (has_main) {
    file = OUT "/" host "/" block ".cpp"
    printf "%s", place(first) > file
    for (i = 1; i <= lines; ++i) print text[i] > file
    close(file)
    output = OUT "/" host "/" block ".expected"
    return
  }
  if (!has_include) head[host] = "#include \"fragment.hpp\"\n" head[host]
  for (i = 1; i <= lines; ++i) {
    if (text[i] ~ /^#include /) {
      head[host] = head[host] place(first + i - 1) text[i] "\n"
      text[i] = ""
    }
    declared = declared text[i] "\n"
  }
  declared = place(first) declared
  if (!has_include) declared = "void fragment() {\nusing namespace host;\n" declared "}\n"
  body[host] = body[host] "namespace " block " {\n" declared "}\n"
}
function expect_end() {
  if (!inside) return
  print "a block does not end in the file before " FILENAME " or in it" > "/dev/stderr"
  exit failed = 1
}
BEGIN { hosts = split(HOSTS, name, ";"); split(HEADERS, header, ";") }
FNR == 1 {
  expect_end()
  folder = substr(FILENAME, length(ROOT) + 2)
  sub(/\/?README\.md$/, "", folder)
  gsub(/[^A-Za-z0-9]/, "_", folder)
  if (folder == "") folder = "front"
  number = 0
  output = ""
}
inside && /^```/ { if (inside == "code") finish(); inside = ""; next }
inside == "code" { text[++lines] = $0; next }
inside == "output" { print > output; next }
inside { next }
/^```cpp$/ { inside = "code"; block = folder "_" ++number; lines = 0; first = FNR + 1; next }
/^```text$/ && output { inside = "output"; printf "" > output; next }
/^```/ { inside = "other"; output = "" }
END {
  if (failed) exit 1
  expect_end()
  for (host in body) printf "%s%s", head[host], body[host] > (OUT "/" host "/fragments.cpp")
}
