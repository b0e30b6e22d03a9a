#pragma once

#include <prefopt/engine/make_loss.hpp>
