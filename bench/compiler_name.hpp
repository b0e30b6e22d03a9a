#pragma once

/// Who compiled this, with version.
#if defined(__clang__)
inline constexpr char const* compiler_name = __VERSION__;
#elif defined(__GNUC__)
inline constexpr char const* compiler_name = "GCC " __VERSION__;
#else
inline constexpr char const* compiler_name = "another compiler";
#endif
