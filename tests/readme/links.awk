# Every link of the files to a file or to a heading leads somewhere. Headings are named as GitHub names them.
function anchor(heading) {
  heading = tolower(heading)
  gsub(/[^a-z0-9 _-]/, "", heading)
  gsub(/ /, "-", heading)
  return heading
}
function headings_of(file,   line, code) {
  if (file in known) return
  known[file] = 1
  while ((getline line < file) > 0) {
    if (line ~ /^```/) code = !code
    if (!code && line ~ /^#+ /) {
      sub(/^#+ /, "", line)
      heading[file, anchor(line)] = 1
    }
  }
  close(file)
}
function exists(file,   line, status) {
  status = (getline line < file)
  close(file)
  return status >= 0
}
FNR == 1 { code = 0; folder = FILENAME; sub(/[^\/]*$/, "", folder) }
/^```/ { code = !code; next }
code { next }
{
  rest = $0
  gsub(/`[^`]*`/, "", rest)
  while (match(rest, /\]\([^)]+\)/)) {
    target = substr(rest, RSTART + 2, RLENGTH - 3)
    rest = substr(rest, RSTART + RLENGTH)
    if (target ~ /^[a-z]+:/) continue
    ++links
    part = ""
    file = target
    if (match(target, /#/)) { part = substr(target, RSTART + 1); file = substr(target, 1, RSTART - 1) }
    file = file == "" ? FILENAME : folder file
    if (!exists(file)) { print FILENAME ":" FNR ": there is no " target; failed = 1; continue }
    if (part == "") continue
    headings_of(file)
    if (!((file, part) in heading)) { print FILENAME ":" FNR ": no heading is " target; failed = 1 }
  }
}
END { if (links == 0) { print "found no link"; failed = 1 } else print links " links"; exit failed }
