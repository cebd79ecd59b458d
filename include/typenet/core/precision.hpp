// Number formats that a backend may compute with, as types to name it by.
#pragma once

namespace typenet {

/// Products of numbers rounded to TensorFloat-32 (10 bits of mantissa), summed as float; everything
/// in memory stays float.
struct tf32;
/// Activations, their gradients and the weights of the products as bfloat16 (7 bits of mantissa);
/// sums, parameters and optimizer state stay float.
struct bf16;

}  // namespace typenet
