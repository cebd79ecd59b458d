// Questions that a program can put to the compiler about a network and what belongs to it. Each is
// true, or the compiler refuses it with a shape_error that says what to change:
//     static_assert(require_name<Net, "features">());
//     static_assert(require_data<Net, Cifar10>());
//     static_assert(require_loss<Net, CrossEntropy>());
//     static_assert(require_budget<Net, Cpu<float>, Training<Sgd>, 64, MiB(300)>());
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "typenet/core/memory_plan.hpp"
#include "typenet/core/network.hpp"
#include "typenet/core/shape_error.hpp"
#include "typenet/core/text.hpp"

namespace typenet {

namespace detail {

/// The name of a layer, or its index, with `suffix` after it; at most 63 characters of it.
constexpr Text name_with(const LayerInfo& layer, std::string_view suffix) {
    Text text{""};
    std::size_t size = 0;
    const auto append = [&](std::string_view more) {
        for (std::size_t i = 0; i < more.size() && size < 63; ++i)
            text.characters[size++] = more[i];
    };
    char digits[10]{};
    std::size_t first = 10;
    int rest = layer.index;
    do digits[--first] = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) > 0);
    append(layer.name.empty() ? std::string_view{digits + first, 10 - first} : layer.name);
    append(suffix);
    return text;
}

/// The number of characters that two names have in common at the beginning and at the end.
constexpr std::size_t likeness(std::string_view a, std::string_view b) {
    const std::size_t most = a.size() < b.size() ? a.size() : b.size();
    std::size_t head = 0;
    while (head < most && a[head] == b[head]) ++head;
    std::size_t tail = 0;
    while (tail < most - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
    return head + tail;
}

/// What a program may have meant by a name that does not exist.
struct NearestName {
    std::size_t layer = 0;
    Text name{""};
    std::size_t likeness = 0;

    constexpr void offer(std::size_t candidate, const Text& text, std::string_view wanted) {
        const std::size_t found = detail::likeness(text.view(), wanted);
        if (name.view().empty() || found > likeness) *this = {candidate, text, found};
    }
};

template <class Net>
constexpr NearestName nearest_layer(std::string_view wanted) {
    NearestName nearest;
    for (std::size_t i = 0; i < Net::layer_count; ++i)
        if (!Net::layers[i].name.empty() || Net::layers[i].parameter_count() > 0)
            nearest.offer(i, name_with(Net::layers[i], ""), wanted);
    return nearest;
}
template <class Net>
constexpr NearestName nearest_parameter(std::string_view wanted) {
    NearestName nearest;
    for (std::size_t i = 0; i < Net::layer_count; ++i) {
        if (Net::layers[i].parameter_count() == 0) continue;
        nearest.offer(i, name_with(Net::layers[i], ".weight"), wanted);
        nearest.offer(i, name_with(Net::layers[i], ".bias"), wanted);
    }
    return nearest;
}

/// The layer that holds a parameter, and how many values it has: 0 where there is none.
struct ParameterPlace {
    std::size_t layer = 0;
    std::int64_t size = 0;
};
template <class Net>
constexpr ParameterPlace place_of_parameter(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return {};
    const std::string_view tensor = name.substr(dot + 1);
    for (std::size_t i = 0; i < Net::layer_count; ++i) {
        const LayerInfo& layer = Net::layers[i];
        if (!is_called(layer, name.substr(0, dot))) continue;
        const bool is_statistic = tensor == "running_mean" || tensor == "running_var";
        return {i, tensor == "weight" ? layer.weight_count
                   : tensor == "bias" ? layer.bias_count
                   : is_statistic     ? layer.statistic_count / 2
                                      : 0};
    }
    return {};
}

/// Megabytes of 2^20 bytes, a begun one counted.
constexpr int begun_MiB(std::int64_t bytes) {
    return static_cast<int>((bytes + MiB(1) - 1) / MiB(1));
}

/// The layer for whose parameters, outputs and gradients a plan takes the most bytes.
template <class Net, class Backend, class Mode>
constexpr std::size_t heaviest_layer(std::int64_t batch) {
    using Facts = MemoryFacts<Backend>;
    constexpr auto& table = stages_in<Net, Mode>;
    constexpr auto& plan = buffer_plan<Net, Backend, Mode>;
    std::size_t heaviest = 0;
    std::int64_t most = -1;
    for (std::size_t s = 0; s < table.count; ++s) {
        const Geometry& g = table.stages[s].geometry;
        std::int64_t bytes = (Facts::weight_count(g) + Facts::bias_count(g)) *
                             (Facts::parameter_bytes + 4 * Mode::state_count);
        for (std::size_t i = 0; i < plan.count; ++i)
            if (plan.buffers[i].stage == static_cast<int>(s))
                bytes += plan.buffers[i].bytes * batch;
        if (bytes > most) {
            most = bytes;
            heaviest = static_cast<std::size_t>(table.stages[s].layer);
        }
    }
    return heaviest;
}

template <class Loss>
constexpr Inference check_loss(const Shape& output) {
    if constexpr (requires { Loss::check(output); })
        return Loss::check(output);
    else
        return {};
}

template <template <int...> class Extents, Shape shape>
constexpr auto extents_of() {
    return extents<Extents, shape.channels, shape.height, shape.width>();
}

}  // namespace detail

/// Whether layers go by `name`: one whose name or index it is, or those whose names continue it
/// after a dot, as "features.0" continues "features".
template <class Net>
constexpr bool has_name(std::string_view name) {
    for (const LayerInfo& layer : Net::layers)
        if (detail::goes_by(layer, name)) return true;
    return false;
}

/// Refuses a name by which no layer goes; see has_name.
template <class Net, Text name>
constexpr bool require_name() {
    if constexpr (has_name<Net>(name.view())) {
        return true;
    } else {
        constexpr detail::NearestName nearest = detail::nearest_layer<Net>(name.view());
        return detail::fire(detail::compose(
            detail::locate_in<nearest.layer>(static_cast<const Net*>(nullptr)),
            detail::spell<got_name, name>(), detail::spell<nearest_name, nearest.name>(),
            detail::type_tag<the_network_has_no_layer_of_this_name>{}));
    }
}

/// The same for each name of a Freeze.
template <class Net, Text... names>
constexpr bool require_names(Freeze<names...>) {
    return (require_name<Net, names>() && ...);
}

/// Refuses a name like "features.0.weight" that no parameter has.
template <class Net, Text name>
constexpr bool require_parameter() {
    if constexpr (detail::place_of_parameter<Net>(name.view()).size > 0) {
        return true;
    } else {
        constexpr detail::NearestName nearest = detail::nearest_parameter<Net>(name.view());
        return detail::fire(detail::compose(
            detail::locate_in<nearest.layer>(static_cast<const Net*>(nullptr)),
            detail::spell<got_name, name>(), detail::spell<nearest_name, nearest.name>(),
            detail::type_tag<the_network_has_no_parameter_of_this_name>{}));
    }
}

/// Refuses a number of values that is not the parameter's.
template <class Net, Text name, std::size_t count>
constexpr bool require_values() {
    constexpr detail::ParameterPlace place = detail::place_of_parameter<Net>(name.view());
    if constexpr (place.size == static_cast<std::int64_t>(count))
        return true;
    else
        return detail::fire(
            detail::compose(detail::locate_in<place.layer>(static_cast<const Net*>(nullptr)),
                            detail::extents_of<got, Shape{static_cast<int>(count)}>(),
                            detail::extents_of<wanted, Shape{static_cast<int>(place.size)}>(),
                            detail::type_tag<a_parameter_is_set_to_as_many_values_as_it_has>{}));
}

/// Refuses `count` values that are no whole number of the network's samples.
template <class Net, std::size_t count>
constexpr bool require_samples() {
    constexpr Shape sample{static_cast<int>(Net::input_shape.size())};
    if constexpr (count % static_cast<std::size_t>(sample.channels) == 0)
        return true;
    else
        return detail::fire(
            detail::compose(detail::locate_input(static_cast<const Net*>(nullptr)),
                            detail::extents_of<got, Shape{static_cast<int>(count)}>(),
                            detail::extents_of<wanted, sample>(),
                            detail::type_tag<a_batch_is_a_multiple_of_the_values_of_one_sample>{}));
}

/// Refuses a loss that cannot work on the network's output. A loss may say so in
/// `static constexpr Inference check(const Shape& output)`.
template <class Net, class Loss>
constexpr bool require_loss() {
    constexpr Inference check = detail::check_loss<Loss>(Net::output_shape);
    if constexpr (check.fault == Reason::none)
        return true;
    else
        return detail::fire(detail::compose(
            detail::locate_in<Net::layer_count - 1>(static_cast<const Net*>(nullptr)),
            detail::extents_of<got, Net::output_shape>(),
            detail::extents_of<wanted, check.wanted>(), detail::explain<check.fault>()));
}

/// A data set whose images are resized before a network takes them: `Resized<Cifar10, 227>`.
template <class Data, int height, int width = height>
struct Resized {
    static constexpr Shape image_shape{Data::image_shape.channels, height, width};
    static constexpr int classes = Data::classes;
};

/// Refuses a data set that a network cannot learn: its images must be the network's input, and its
/// classes as many as the network's outputs. `Data` states `image_shape` and `classes`, as Cifar10
/// does.
template <class Net, class Data>
constexpr bool require_data() {
    if constexpr (Data::image_shape != Net::input_shape)
        return detail::fire(detail::compose(
            detail::locate_input(static_cast<const Net*>(nullptr)),
            detail::extents_of<got, Data::image_shape>(),
            detail::extents_of<wanted, Net::input_shape>(),
            detail::type_tag<
                the_images_of_the_data_set_differ_from_the_Input_state_Resized_or_change_it>{}));
    else if constexpr (Shape{Data::classes} != Net::output_shape)
        return detail::fire(detail::compose(
            detail::locate_in<Net::layer_count - 1>(static_cast<const Net*>(nullptr)),
            detail::extents_of<got, Net::output_shape>(),
            detail::extents_of<wanted, Shape{Data::classes}>(),
            detail::type_tag<the_network_needs_as_many_outputs_as_the_data_set_has_classes>{}));
    else
        return true;
}

/// Refuses a plan (see memory_plan) of more than `bytes`, and names the layer that takes the most.
template <class Net, class Backend, class Mode, std::int64_t batch, std::int64_t bytes,
          int threads = 1>
constexpr bool require_budget() {
    constexpr std::int64_t total = memory_plan<Net, Backend, Mode>(batch, threads).total;
    if constexpr (total <= bytes)
        return true;
    else
        return detail::fire(detail::compose(
            detail::locate_in<detail::heaviest_layer<Net, Backend, Mode>(batch)>(
                static_cast<const Net*>(nullptr)),
            detail::type_tag<planned_MiB<detail::begun_MiB(total)>>{},
            detail::type_tag<allowed_MiB<static_cast<int>(bytes / MiB(1))>>{},
            detail::type_tag<the_memory_plan_is_over_its_budget_and_this_layer_takes_the_most>{}));
}

}  // namespace typenet
