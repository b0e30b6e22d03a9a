#pragma once

#include "gru_policy.hpp"
#include "prompt_split.hpp"
#include "rl_settings.hpp"
#include "task.hpp"

/// The policy that a loop begins with, which is the reference of its KL: it has imitated a teacher who is often wrong, on
/// prompts of their own. Every rank finds the same.
gru_policy<float> warmed_up_policy(task const& of, prompt_split const& split, rl_settings const& settings);
