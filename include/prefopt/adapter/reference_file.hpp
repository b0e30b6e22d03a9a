#pragma once

#include <prefopt/train/reference_file.hpp>
