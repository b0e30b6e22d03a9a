#pragma once

#include <prefopt/train/policy.hpp>
