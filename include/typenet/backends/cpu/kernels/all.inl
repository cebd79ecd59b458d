// All kernels of one instruction set, in the order in which they build on each other.
#include "typenet/backends/cpu/kernels/vector.inl"
// clang-format off
#include "typenet/backends/cpu/kernels/pooling.inl"
#include "typenet/backends/cpu/kernels/convolution.inl"
#ifndef TYPENET_PAIRS  // Winograd's algorithm computes in float alone
    #include "typenet/backends/cpu/kernels/winograd.inl"
#endif
#include "typenet/backends/cpu/kernels/linear.inl"
#include "typenet/backends/cpu/kernels/elementwise.inl"
#include "typenet/backends/cpu/kernels/normalization.inl"
#include "typenet/backends/cpu/kernels/joins.inl"
#include "typenet/backends/cpu/kernels/stages.inl"
// clang-format on
