// The numbers that a GPU multiplies, by the words of --precision.
#pragma once

#include <typenet/core/precision.hpp>

#include "options.hpp"

namespace alexnet {

template <class T>
struct Precision {
    using type = T;
};

/// Calls f(Precision<T>) for the precision asked for.
template <class F>
auto in_precision(const MachineOptions& machine, const F& f) {
    if (machine.precision == "bf16") return f(Precision<typenet::bf16>{});
    if (machine.precision == "tf32") return f(Precision<typenet::tf32>{});
    return f(Precision<float>{});
}

}  // namespace alexnet
