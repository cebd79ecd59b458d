// Parameters under names that the compiler checks: `model["features.0.weight"_name]`.
#pragma once

#include <boost/hana/string.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "typenet/core/require.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

namespace literals {

/// "decision.weight"_name: a Hana string, the name as a type.
template <Text text>
constexpr auto operator""_name() {
    return []<std::size_t... i>(std::index_sequence<i...>) {
        return boost::hana::string<text.characters[i]...>{};
    }
    (std::make_index_sequence<text.view().size()>{});
}

}  // namespace literals

/// One parameter of a model, which must outlive it. A name that the network does not have is a
/// shape_error of the compiler.
template <class Model, Text parameter>
class Parameter {
    using Net = typename Model::network;
    static_assert(require_parameter<Net, parameter>());

public:
    static constexpr Text name = parameter;
    /// Number of values.
    static constexpr std::int64_t size = detail::place_of_parameter<Net>(name.view()).size;

    explicit Parameter(Model& model) : model_(&model) {}

    /// A canonical copy: [out, in / groups, kernel height, width], [out, in] or [out].
    std::vector<float> get() const { return model_->get(name.view()); }
    /// Replaces the values, given in canonical order. A wrong number of them is an error of the
    /// compiler where the type tells it, otherwise a ShapeError.
    template <class Values>
    requires(!std::is_const_v<Model>) void set(const Values& values) const {
        constexpr std::size_t extent = decltype(std::span{values})::extent;
        if constexpr (extent != std::dynamic_extent)
            static_assert(require_values<Net, parameter, extent>());
        model_->set(name.view(), values);
    }

private:
    Model* model_;
};

namespace detail {

template <char... letters>
constexpr Text as_text(boost::hana::string<letters...>) {
    constexpr char characters[]{letters..., '\0'};
    return Text{characters};
}

}  // namespace detail
}  // namespace typenet
