#pragma once

#include <string>
#include <string_view>

/// What gnuplot is to draw in a directory: NAME.png, or NAME.svg where gnuplot has no PNG.
struct gnuplot_picture {
  std::string name;
  std::string about;  ///< the script's first line says it
  int width, height;
  std::string_view commands;  ///< that follow the choice of the output
  std::string data;           ///< the file with the numbers
};

/// Draws it and leaves the script, NAME.gnuplot, by its side. Returns what became of it, in one line.
std::string draw(gnuplot_picture const& picture, std::string const& directory);
