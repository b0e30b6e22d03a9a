#pragma once

// Everything that needs no host and no Eigen.

#include <prefopt/batch/groups.hpp>
#include <prefopt/batch/options.hpp>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/batch/report.hpp>
#include <prefopt/batch/unpaired.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/group_pairs.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/chain/logit_policy.hpp>
#include <prefopt/chain/sequence_policy.hpp>
#include <prefopt/chain/token_policy.hpp>
#include <prefopt/core/all_reduce.hpp>
#include <prefopt/core/executor.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/engine/mixture.hpp>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <prefopt/logprob/matrix_product.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/logprob/token_rows.hpp>
#include <prefopt/logprob/tokens.hpp>
#include <prefopt/loss/list.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/train/annotator_reliability.hpp>
#include <prefopt/train/moving_reference.hpp>
#include <prefopt/train/policy.hpp>
#include <prefopt/train/reference.hpp>
#include <prefopt/train/step.hpp>
#include <prefopt/version.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/matrix.hpp>
#include <prefopt/view/row_major.hpp>
