#pragma once

#include <prefopt/train/step.hpp>
