#pragma once

#include <prefopt/train/reference.hpp>
