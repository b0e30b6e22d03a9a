#pragma once

/// Registers token_logprobs/<forward|backward|forward_backward_inplace>/<f32|bf16|f16>/V:<v>[/in_cache][/threads:2].
void add_token_logprobs_benchmarks();
