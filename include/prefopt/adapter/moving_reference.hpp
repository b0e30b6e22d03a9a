#pragma once

#include <prefopt/train/moving_reference.hpp>
