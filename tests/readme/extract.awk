# Cuts the C++ blocks out of a Markdown file: block N becomes OUT/block_N.cpp. A block without an #include is a fragment
# of a function's body. A text block right after a program is its output: OUT/block_N.expected.
function finish() { if (fragment) print "}" > file; close(file) }
/^```cpp$/ { ++n; file = OUT "/block_" n ".cpp"; inside = 1; fragment = -1; next }
/^```text$/ && n > 0 && ready { file = OUT "/block_" n ".expected"; printf "" > file; inside = 1; fragment = 0; ready = 0; next }
/^```/ && inside { if (file ~ /\.cpp$/) ready = 1; finish(); inside = 0; next }
/^```/ { ready = 0; other = !other; next }
inside && fragment == -1 {
  fragment = ($0 !~ /^#include/)
  if (fragment) print "#include \"fragment.hpp\"\nvoid fragment_" n "();\nvoid fragment_" n "() {\nusing namespace host;" > file
}
inside { print > file }
