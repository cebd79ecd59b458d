// What a layer tells the library about itself: a pure description, without arithmetic on data.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "typenet/core/shape.hpp"

namespace typenet {

/// What a layer computes. Backends dispatch on it; names and attributes are data.
enum class LayerKind : std::uint8_t {
    conv2d,
    linear,
    relu,
    max_pool2d,
    adaptive_avg_pool2d,
    dropout,
    flatten,
    expect,
    softmax,
    resize,
    local_response_norm,
    batch_norm2d,
    avg_pool2d,
    add,
    concat,
    custom,  ///< from outside the library: see CustomLayer
};

/// A sliding window: kernel, stride and zero padding in pixels. A kernel of 0 means "no window".
struct Window {
    int kernel_height = 0;
    int kernel_width = 0;
    int stride_height = 1;
    int stride_width = 1;
    int pad_top = 0;
    int pad_left = 0;
    int pad_bottom = 0;
    int pad_right = 0;

    constexpr explicit operator bool() const { return kernel_height > 0; }
    friend constexpr bool operator==(const Window&, const Window&) = default;
};

/// Why a layer refuses its input or a loss the network's output; each has a type of its name in
/// core/shape_error.hpp.
enum class Reason : std::uint8_t {
    none,
    network_has_no_input,
    network_has_no_layers,
    not_a_layer,
    not_an_option,
    duplicate_name,
    index_is_a_name,
    sizes_must_be_positive,
    kernel_is_missing,
    layer_needs_a_map,
    linear_needs_a_flat_input,
    softmax_needs_a_flat_input,
    input_is_not_what_expect_states,
    kernel_is_larger_than_the_padded_input,
    padding_must_be_smaller_than_the_kernel,
    window_drops_pixels,
    groups_do_not_divide_the_input_channels,
    groups_do_not_divide_the_output_channels,
    pool_has_no_groups,
    dropout_rate_is_not_a_probability,
    window_size_must_be_odd,
    cross_entropy_needs_a_flat_output,
    cross_entropy_needs_two_outputs,
    not_a_batch_norm_option,
    epsilon_must_be_positive,
    momentum_is_no_share,
    number_of_branches,
    shapes_of_a_residual_differ,
    sizes_of_a_concat_differ,
};

/// Most inputs that a layer reads.
inline constexpr int most_sources = 8;

/// Where a layer (or a stage) takes its inputs from, as indices; -1 is the network's input.
struct Sources {
    int indices[most_sources]{};
    int count = 0;

    constexpr void add(int index) { indices[count++] = index; }
    constexpr int operator[](int operand) const { return indices[operand]; }
    constexpr const int* begin() const { return indices; }
    constexpr const int* end() const { return indices + count; }
};

struct CustomArithmetic;

/// One layer of a network as data: what it is, what it reads, and all shapes and numbers about it.
struct LayerInfo {
    LayerKind kind = LayerKind::flatten;
    std::string_view type = "";  ///< "Conv2d", "Linear", ...
    std::string_view name = "";  ///< the user's name, or empty: then the index serves as name
    int index = 0;               ///< its place in the network
    Sources sources;             ///< indices of the layers that feed it
    Shape input;                 ///< of several inputs the first
    Shape output;
    Window window;  ///< convolution or pooling
    int groups = 1;
    float rate = 0;     ///< dropout: probability to drop
    int norm_size = 0;  ///< local response norm: channels summed over, alpha, beta, k
    float norm_alpha = 0;
    float norm_beta = 0;
    float norm_k = 0;
    double epsilon = 0;   ///< batch norm: added to the variance
    double momentum = 0;  ///< batch norm: share of a batch in the running statistics
    std::int64_t weight_count = 0;
    std::int64_t bias_count = 0;
    std::int64_t statistic_count = 0;  ///< batch norm: running means, then running variances
    std::int64_t fan_in = 0;  ///< inputs of one output value, fan_out: outputs of one input value
    std::int64_t fan_out = 0;
    std::int64_t macs = 0;  ///< multiply-accumulates of one sample's forward pass
    const CustomArithmetic* custom = nullptr;  ///< of a layer from outside the library
    float initial_weight = 0;                  ///< custom, without fan_in: where weights start

    constexpr std::int64_t parameter_count() const { return weight_count + bias_count; }
};

/// A layer's answer to an input shape: its description, or a reason to refuse and what it wanted.
struct Inference {
    LayerInfo info;
    Reason fault = Reason::none;
    Shape wanted{};

    static constexpr Inference refuse(Reason reason, Shape wanted = {}) {
        return {LayerInfo{}, reason, wanted};
    }
};

struct LayerSpec;

/// Layers one after the other: a branch of a composite layer. Without layers it passes on what
/// comes.
struct Chain {
    const LayerSpec* const* layers = nullptr;
    std::size_t count = 0;
};

/// What every layer type holds as `static constexpr LayerSpec spec`.
struct LayerSpec {
    Inference (*infer)(const Shape& input);

    // Of a composite layer: the branches, which all read its input, and its answer to their outputs
    // (where it refuses, `info.input` is what came). `infer` is then null.
    Inference (*join)(const Shape* shapes, int count) = nullptr;
    const Chain* branches = nullptr;
    int branch_count = 0;
    std::size_t entries = 1;  ///< in the network's array: those of its branches, and itself
};

template <class L>
concept Layer = requires {
    { L::spec } -> std::convertible_to<const LayerSpec&>;
};

/// One sample on its way through a layer from outside the library. Values are canonical (channel,
/// row, column); weights and biases are as many as the layer's description says.
template <class T>
struct ForwardPass {
    const LayerInfo& layer;
    const T* input;
    const T* weight;
    const T* bias;
    T* output;  ///< to be set
};

/// The way back: of a scalar function of the output, the gradient by the output is given and those
/// by all that the layer reads are wanted.
template <class T>
struct BackwardPass {
    const LayerInfo& layer;
    const T* input;
    const T* output;
    const T* weight;
    const T* bias;
    const T* output_gradient;
    T* input_gradient;  ///< these three are to be added to
    T* weight_gradient;
    T* bias_gradient;
};

/// A layer from outside the library: a shape rule, and forward and backward as plain loops, which
/// are best written as templates on the type of the values. The reference computes with doubles,
/// the CPU with floats; check_gradients compares the two functions.
template <class L>
concept CustomLayer = !Layer<L> && requires(const Shape& input, const ForwardPass<float>& forward,
                                            const BackwardPass<float>& backward,
                                            const ForwardPass<double>& exact_forward,
                                            const BackwardPass<double>& exact_backward) {
    { L::infer(input) } -> std::same_as<Inference>;
    L::forward(forward);
    L::backward(backward);
    L::forward(exact_forward);
    L::backward(exact_backward);
};

/// The functions of a custom layer, for those who do not know its type.
struct CustomArithmetic {
    void (*forward_float)(const ForwardPass<float>&);
    void (*backward_float)(const BackwardPass<float>&);
    void (*forward_double)(const ForwardPass<double>&);
    void (*backward_double)(const BackwardPass<double>&);

    constexpr void forward(const ForwardPass<float>& pass) const { forward_float(pass); }
    constexpr void forward(const ForwardPass<double>& pass) const { forward_double(pass); }
    constexpr void backward(const BackwardPass<float>& pass) const { backward_float(pass); }
    constexpr void backward(const BackwardPass<double>& pass) const { backward_double(pass); }
};

namespace detail {

/// std::max without <algorithm>, which takes compilers longer than a network's type does.
template <class T>
constexpr T larger(T a, T b) {
    return a < b ? b : a;
}

/// The sum of a pack. Not a fold expression, of which clang takes 256 terms at most.
constexpr std::size_t sum_of(std::initializer_list<std::size_t> values) {
    std::size_t sum = 0;
    for (const std::size_t value : values) sum += value;
    return sum;
}

constexpr Inference refuse_non_layer(const Shape&) {
    return Inference::refuse(Reason::not_a_layer);
}
inline constexpr LayerSpec non_layer{&refuse_non_layer};

template <class L>
inline constexpr CustomArithmetic arithmetic_of{&L::forward, &L::backward, &L::forward,
                                                &L::backward};

template <class L>
constexpr Inference infer_custom(const Shape& input) {
    Inference result = L::infer(input);
    result.info.kind = LayerKind::custom;
    result.info.custom = &arithmetic_of<L>;
    if (result.info.type.empty()) result.info.type = "Custom";
    return result;
}
template <class L>
inline constexpr LayerSpec custom_spec{&infer_custom<L>};

/// The layer's spec; for anything else one that refuses every input.
template <class L>
constexpr const LayerSpec* spec_of() {
    if constexpr (Layer<L>)
        return &L::spec;
    else if constexpr (CustomLayer<L>)
        return &custom_spec<L>;
    else
        return &non_layer;
}

/// The specs of layers in their order.
template <class... Layers>
inline constexpr std::array<const LayerSpec*, sizeof...(Layers)> specs_of{spec_of<Layers>()...};

/// What a composite layer, or one of its branches, consists of, in the order of the entries.
template <class... Layers>
struct Parts {};

template <class L>
concept HasParts = requires {
    typename L::parts;
};

/// Entries of a layer, or of all layers of a branch, in the network's array.
template <class L>
constexpr std::size_t entries_of() {
    if constexpr (Layer<L> || !HasParts<L>)
        return spec_of<L>()->entries;
    else
        return L::entries;
}

/// Output size of a window along one axis, floor semantics; 0 when the kernel does not fit.
constexpr int window_output(int input, int kernel, int stride, int pad_before, int pad_after) {
    const int span = input + pad_before + pad_after - kernel;
    return span < 0 ? 0 : span / stride + 1;
}

/// Total 'same' padding along one axis (TensorFlow's rule: the odd pixel goes after).
constexpr int same_padding(int input, int kernel, int stride) {
    const int output = (input + stride - 1) / stride;
    const int total = (output - 1) * stride + kernel - input;
    return total > 0 ? total : 0;
}

constexpr Shape window_output(const Shape& input, const Window& w, int channels) {
    return {channels,
            window_output(input.height, w.kernel_height, w.stride_height, w.pad_top, w.pad_bottom),
            window_output(input.width, w.kernel_width, w.stride_width, w.pad_left, w.pad_right)};
}

/// The layer's kind, name and shapes, for the many that keep the shape of their input.
constexpr LayerInfo elementwise(LayerKind kind, std::string_view type, const Shape& input) {
    LayerInfo info;
    info.kind = kind;
    info.type = type;
    info.input = info.output = input;
    return info;
}

}  // namespace detail
}  // namespace typenet
