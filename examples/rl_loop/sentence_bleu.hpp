#pragma once

#include <string_view>

/// BLEU of one sentence against one reference, in [0, 1]: 1-grams to 4-grams of words that blanks part, the brevity
/// penalty, and two conventions for short texts. The n-th of the precisions that are 0 counts as 2^-n matches
/// ("exponential" smoothing), and n-grams that are longer than the sentence are in no mean ("effective order").
///     special    no word in common: 0
///     source    Papineni et al. 2002; Chen and Cherry 2014, smoothing 3; sacrebleu's sentence_bleu with tokenize "none",
///               divided by 100
double sentence_bleu(std::string_view sentence, std::string_view reference);
