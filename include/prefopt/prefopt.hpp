#pragma once

// Everything that needs no host and no Eigen.

#include <prefopt/adapter/list_step.hpp>
#include <prefopt/adapter/moving_reference.hpp>
#include <prefopt/adapter/policy.hpp>
#include <prefopt/adapter/reference.hpp>
#include <prefopt/adapter/step.hpp>
#include <prefopt/all_reduce.hpp>
#include <prefopt/batch.hpp>
#include <prefopt/column.hpp>
#include <prefopt/evaluate.hpp>
#include <prefopt/executor.hpp>
#include <prefopt/group_pairs.hpp>
#include <prefopt/list_batch.hpp>
#include <prefopt/logprob/evaluate.hpp>
#include <prefopt/logprob/evaluate_policy.hpp>
#include <prefopt/logprob/linear_policy.hpp>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <prefopt/logprob/logit_policy.hpp>
#include <prefopt/logprob/matrix_product.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/logprob/sequence_policy.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/logprob/token_policy.hpp>
#include <prefopt/logprob/token_rows.hpp>
#include <prefopt/logprob/tokens.hpp>
#include <prefopt/loss/any.hpp>
#include <prefopt/loss/any_list.hpp>
#include <prefopt/loss/list.hpp>
#include <prefopt/matrix.hpp>
#include <prefopt/modifier/annotator_reliability.hpp>
#include <prefopt/options.hpp>
#include <prefopt/report.hpp>
#include <prefopt/row_major.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/version.hpp>
