// An executor refers to its callable: a temporary would be gone.
#include <prefopt/evaluate.hpp>
#include <prefopt/loss/cpo.hpp>

struct serial {
  void operator()(std::size_t parts, prefopt::executor::task const& work) const {
    for (std::size_t i = 0; i < parts; ++i) work(i);
  }
};

void use(prefopt::pair_batch<double> const& batch) {
#if defined(MISTAKE)
  prefopt::options const options{.executor = serial{}};
#else
  serial const run;
  prefopt::options const options{.executor = run};
#endif
  prefopt::evaluate(prefopt::cpo{}, batch, {}, options);
}
