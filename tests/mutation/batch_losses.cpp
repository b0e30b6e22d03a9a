// loss/of_the_batch.cpp with the kernels of the few losses that are in there, compiled once.
#include "loss/of_the_batch.cpp"
#include "oracle/pair_results.cpp"
