// Branches: layers one after the other that read what a composite layer reads.
#pragma once

#include "typenet/core/layer.hpp"

namespace typenet {

/// A branch of a Concat. Without layers it passes on what comes.
template <class... Layers>
struct Branch {};

/// The way around the layers of a Residual. Without layers it passes on what comes.
template <class... Layers>
struct Shortcut {};

namespace detail {

/// Layers in a branch as a composite layer sees them.
template <class... Layers>
struct InBranch {
    using parts = Parts<Layers...>;
    static constexpr std::size_t entries = sum_of({entries_of<Layers>()...});
    static constexpr Chain chain{specs_of<Layers...>.data(), sizeof...(Layers)};
};

}  // namespace detail
}  // namespace typenet
