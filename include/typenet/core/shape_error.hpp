// The compiler's error for a network that does not fit: one type that says where, what and why.
//
// A fault is reported as
//     shape_error<at_layer<13, Linear<4096>>, got<256, 6, 6>, wanted<9216>,
//                 linear_needs_a_flat_input_put_Flatten_before_it>
// The spelling (an undefined type, reached only through function argument deduction) is the one for
// which g++, clang++ and nvcc all print this type in the first line of the error.
#pragma once

#include <cstddef>
#include <utility>

#include "typenet/core/layer.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

// clang-format off
struct a_network_begins_with_its_Input;
struct a_network_needs_at_least_one_layer;
struct this_is_not_a_layer_and_an_option_belongs_inside_its_layer;
struct the_options_of_this_layer_are_Kernel_Stride_Padding_Same_and_Groups;
struct this_name_is_taken_by_an_earlier_layer;
struct this_layer_goes_by_its_index_which_an_earlier_layer_has_as_its_name;
struct sizes_and_strides_must_be_at_least_1_and_padding_at_least_0;
struct this_layer_needs_the_option_Kernel_of_at_least_1;
struct this_layer_needs_a_map_of_channels_height_width_not_a_flat_input;
struct linear_needs_a_flat_input_put_Flatten_before_it;
struct softmax_needs_a_flat_input_put_Flatten_before_it;
struct the_input_is_not_what_is_stated_here;
struct the_kernel_is_larger_than_the_padded_input;
struct the_padding_must_be_smaller_than_the_kernel;
struct the_stride_leaves_pixels_over_which_Exact_forbids;
struct the_groups_must_divide_the_input_channels;
struct the_groups_must_divide_the_output_channels;
struct a_pool_has_no_groups_remove_the_option;
struct the_dropout_rate_must_be_at_least_0_and_less_than_1;
struct the_window_of_channels_must_be_odd;
struct the_options_of_this_layer_are_Epsilon_and_Momentum;
struct epsilon_must_be_positive;
struct momentum_must_be_more_than_0_and_at_most_1;
struct a_concat_has_1_to_8_branches;
struct branches_of_a_residual_must_have_equal_shapes;
struct branches_of_a_concat_must_have_equal_height_and_width;
struct cross_entropy_needs_a_flat_output_end_with_Flatten_and_Linear;
struct cross_entropy_needs_an_output_for_each_of_2_classes_or_more;
struct the_network_has_no_layer_of_this_name;
struct the_network_has_no_parameter_of_this_name;
struct a_parameter_is_set_to_as_many_values_as_it_has;
struct a_batch_is_a_multiple_of_the_values_of_one_sample;
struct the_images_of_the_data_set_differ_from_the_Input_state_Resized_or_change_it;
struct the_network_needs_as_many_outputs_as_the_data_set_has_classes;
struct the_memory_plan_is_over_its_budget_and_this_layer_takes_the_most;
// clang-format on

/// Where: the place of a layer, counted from 0, its type and, if it has one, its name.
template <int index, class L, class... Name>
struct at_layer;
template <char... letters>
struct named;
/// Where: before the first layer.
template <class In>
struct at_input;
/// A shape: channels, height, width; or one number for a flat one.
template <int... extents>
struct got;
template <int... extents>
struct wanted;
/// A name that was given, and the one most like it that the network has.
template <char... letters>
struct got_name;
template <char... letters>
struct nearest_name;
/// Memory in units of 2^20 bytes: a begun one is planned, a whole one allowed.
template <int count>
struct planned_MiB;
template <int count>
struct allowed_MiB;
template <class Where, class Got, class Wanted, class Why>
struct shape_error;

namespace detail {

template <class T>
struct type_tag {};

template <std::size_t index, class T>
struct indexed {};
template <class Indices, class... Ts>
struct indexer;
template <class Index, Index... indices, class... Ts>
struct indexer<std::integer_sequence<Index, indices...>, Ts...> : indexed<indices, Ts>... {};

/// A name letter by letter: compilers print a whole text in ways of their own.
template <template <char...> class Name, Text text>
constexpr auto spell() {
    return []<std::size_t... i>(std::index_sequence<i...>) {
        return type_tag<Name<text.characters[i]...>>{};
    }
    (std::make_index_sequence<text.view().size()>{});
}

template <std::size_t index, class T>
constexpr type_tag<T> select(indexed<index, T>) {
    return {};
}

/// An entry of the network's array, seen from the layers that it belongs to.
struct Spot {
    std::size_t layer = 0;
    std::size_t entry = 0;  ///< among those of the layer
};
template <class... Layers>
constexpr Spot spot_of(std::size_t entry) {
    Spot spot{0, entry};
    for (const std::size_t entries : {entries_of<Layers>()...}) {
        if (spot.entry < entries) break;
        spot.entry -= entries;
        ++spot.layer;
    }
    return spot;
}

template <std::size_t index, std::size_t entry, class... Layers>
constexpr auto locate(type_tag<Parts<Layers...>>);

/// The place of a layer or of the one inside it that makes the entry; layers/named.hpp has an
/// overload.
template <std::size_t index, std::size_t entry, class L>
constexpr auto descend(type_tag<L>) {
    if constexpr (HasParts<L> && (!Layer<L> || entry + 1 < entries_of<L>()))
        return locate<index, entry>(type_tag<typename L::parts>{});
    else
        return type_tag<at_layer<static_cast<int>(index), L>>{};
}
/// Where entry `entry` of these layers, number `index` of the network, comes from.
template <std::size_t index, std::size_t entry, class... Layers>
constexpr auto locate(type_tag<Parts<Layers...>>) {
    constexpr Spot spot = spot_of<Layers...>(entry);
    using All = indexer<std::make_index_sequence<sizeof...(Layers)>, Layers...>;
    return descend<index, spot.entry>(select<spot.layer>(All{}));
}

template <template <int...> class Extents, int channels, int height, int width>
constexpr auto extents() {
    if constexpr (height != 0)
        return type_tag<Extents<channels, height, width>>{};
    else if constexpr (channels != 0)
        return type_tag<Extents<channels>>{};
    else
        return type_tag<Extents<>>{};
}

template <Reason reason>
constexpr auto explain() {
    // clang-format off
    if constexpr (reason == Reason::network_has_no_input) return type_tag<a_network_begins_with_its_Input>{};
    else if constexpr (reason == Reason::network_has_no_layers) return type_tag<a_network_needs_at_least_one_layer>{};
    else if constexpr (reason == Reason::not_a_layer) return type_tag<this_is_not_a_layer_and_an_option_belongs_inside_its_layer>{};
    else if constexpr (reason == Reason::not_an_option) return type_tag<the_options_of_this_layer_are_Kernel_Stride_Padding_Same_and_Groups>{};
    else if constexpr (reason == Reason::duplicate_name) return type_tag<this_name_is_taken_by_an_earlier_layer>{};
    else if constexpr (reason == Reason::index_is_a_name) return type_tag<this_layer_goes_by_its_index_which_an_earlier_layer_has_as_its_name>{};
    else if constexpr (reason == Reason::sizes_must_be_positive) return type_tag<sizes_and_strides_must_be_at_least_1_and_padding_at_least_0>{};
    else if constexpr (reason == Reason::kernel_is_missing) return type_tag<this_layer_needs_the_option_Kernel_of_at_least_1>{};
    else if constexpr (reason == Reason::layer_needs_a_map) return type_tag<this_layer_needs_a_map_of_channels_height_width_not_a_flat_input>{};
    else if constexpr (reason == Reason::linear_needs_a_flat_input) return type_tag<linear_needs_a_flat_input_put_Flatten_before_it>{};
    else if constexpr (reason == Reason::softmax_needs_a_flat_input) return type_tag<softmax_needs_a_flat_input_put_Flatten_before_it>{};
    else if constexpr (reason == Reason::input_is_not_what_expect_states) return type_tag<the_input_is_not_what_is_stated_here>{};
    else if constexpr (reason == Reason::kernel_is_larger_than_the_padded_input) return type_tag<the_kernel_is_larger_than_the_padded_input>{};
    else if constexpr (reason == Reason::padding_must_be_smaller_than_the_kernel) return type_tag<the_padding_must_be_smaller_than_the_kernel>{};
    else if constexpr (reason == Reason::window_drops_pixels) return type_tag<the_stride_leaves_pixels_over_which_Exact_forbids>{};
    else if constexpr (reason == Reason::groups_do_not_divide_the_input_channels) return type_tag<the_groups_must_divide_the_input_channels>{};
    else if constexpr (reason == Reason::groups_do_not_divide_the_output_channels) return type_tag<the_groups_must_divide_the_output_channels>{};
    else if constexpr (reason == Reason::pool_has_no_groups) return type_tag<a_pool_has_no_groups_remove_the_option>{};
    else if constexpr (reason == Reason::dropout_rate_is_not_a_probability) return type_tag<the_dropout_rate_must_be_at_least_0_and_less_than_1>{};
    else if constexpr (reason == Reason::window_size_must_be_odd) return type_tag<the_window_of_channels_must_be_odd>{};
    else if constexpr (reason == Reason::cross_entropy_needs_a_flat_output) return type_tag<cross_entropy_needs_a_flat_output_end_with_Flatten_and_Linear>{};
    else if constexpr (reason == Reason::cross_entropy_needs_two_outputs) return type_tag<cross_entropy_needs_an_output_for_each_of_2_classes_or_more>{};
    else if constexpr (reason == Reason::not_a_batch_norm_option) return type_tag<the_options_of_this_layer_are_Epsilon_and_Momentum>{};
    else if constexpr (reason == Reason::epsilon_must_be_positive) return type_tag<epsilon_must_be_positive>{};
    else if constexpr (reason == Reason::momentum_is_no_share) return type_tag<momentum_must_be_more_than_0_and_at_most_1>{};
    else if constexpr (reason == Reason::number_of_branches) return type_tag<a_concat_has_1_to_8_branches>{};
    else if constexpr (reason == Reason::shapes_of_a_residual_differ) return type_tag<branches_of_a_residual_must_have_equal_shapes>{};
    else return type_tag<branches_of_a_concat_must_have_equal_height_and_width>{};
    // clang-format on
}

template <class Where, class Got, class Wanted, class Why>
constexpr type_tag<shape_error<Where, Got, Wanted, Why>> compose(type_tag<Where>, type_tag<Got>,
                                                                 type_tag<Wanted>, type_tag<Why>) {
    return {};
}

/// Fails to compile and shows `Error`, which is an undefined type.
template <class Error>
struct RequireFit {
    static_assert(sizeof(Error) > 0);
    static constexpr bool value = true;
};

template <class Error>
constexpr bool fire(type_tag<Error>) {
    return RequireFit<Error>::value;
}

}  // namespace detail
}  // namespace typenet
