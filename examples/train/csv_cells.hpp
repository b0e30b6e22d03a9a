#pragma once

#include <string>

#include "record_reader.hpp"

/// Makes what JSON would have said of the cells of a row: in the columns of texts a text, or messages if the text is
/// JSON of some; elsewhere a number, true or false, or JSON if the text reads as such. An empty cell is an absent field
/// but in the columns of responses, where it is an empty text.
void read_cells(data_record& row, std::string const& file);
