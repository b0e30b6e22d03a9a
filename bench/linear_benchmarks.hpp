#pragma once

/// Registers linear/<forward|step>/<f32|bf16>/<eigen|cblas|onednn>/tokens:<n>/H:<h>/V:<v>/MiB:<budget>.
void add_linear_benchmarks();
