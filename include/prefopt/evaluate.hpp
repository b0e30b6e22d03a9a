#pragma once

#include <prefopt/engine/evaluate.hpp>
