// Every layer, forward and backward, as the plainest loops that say what it means: the oracle that
// the other backends are tested against.
//
// One sample at a time, in canonical layout: maps are planes of rows (channel, row, column),
// weights are [out, in / groups, kernel row, kernel column] and [out, in]. T is float or double.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "typenet/backends/reference/math.hpp"
#include "typenet/core/error.hpp"
#include "typenet/core/layer.hpp"
#include "typenet/core/random.hpp"

namespace typenet::reference {

namespace detail {

/// Where a value of channel `channel`, row `y`, column `x` stands in a sample of this shape.
constexpr std::int64_t at(const Shape& shape, int channel, int y, int x) {
    return (std::int64_t{channel} * shape.height + y) * shape.width + x;
}

/// Calls visit(weight index, input index) for every product that makes up one output value of a
/// convolution; cells of the padding are left out.
template <class Visit>
constexpr void for_each_product(const LayerInfo& layer, int out, int y, int x, const Visit& visit) {
    const Window& w = layer.window;
    const int group_inputs = layer.input.channels / layer.groups;
    const int group = out / (layer.output.channels / layer.groups);
    for (int c = 0; c < group_inputs; ++c)
        for (int i = 0; i < w.kernel_height; ++i)
            for (int j = 0; j < w.kernel_width; ++j) {
                const int row = y * w.stride_height - w.pad_top + i;
                const int column = x * w.stride_width - w.pad_left + j;
                if (row < 0 || row >= layer.input.height || column < 0 ||
                    column >= layer.input.width)
                    continue;
                const std::int64_t weight =
                    ((std::int64_t{out} * group_inputs + c) * w.kernel_height + i) *
                        w.kernel_width +
                    j;
                visit(weight, at(layer.input, group * group_inputs + c, row, column));
            }
}

/// Calls visit(channel, row, column) for every value of a map.
template <class Visit>
constexpr void for_each_value(const Shape& shape, const Visit& visit) {
    for (int c = 0; c < shape.channels; ++c)
        for (int y = 0; y < shape.height; ++y)
            for (int x = 0; x < shape.width; ++x) visit(c, y, x);
}

template <class T>
constexpr void conv2d_forward(const LayerInfo& layer, const T* weight, const T* bias,
                              const T* input, T* output) {
    for_each_value(layer.output, [&](int out, int y, int x) {
        T sum = bias[out];
        for_each_product(layer, out, y, x,
                         [&](std::int64_t w, std::int64_t i) { sum += weight[w] * input[i]; });
        output[at(layer.output, out, y, x)] = sum;
    });
}

template <class T>
constexpr void conv2d_backward(const LayerInfo& layer, const T* weight, const T* input,
                               const T* grad_output, T* grad_input, T* grad_weight, T* grad_bias) {
    for_each_value(layer.output, [&](int out, int y, int x) {
        const T gradient = grad_output[at(layer.output, out, y, x)];
        grad_bias[out] += gradient;
        for_each_product(layer, out, y, x, [&](std::int64_t w, std::int64_t i) {
            grad_weight[w] += gradient * input[i];
            if (grad_input != nullptr) grad_input[i] += gradient * weight[w];
        });
    });
}

template <class T>
constexpr void linear_forward(const LayerInfo& layer, const T* weight, const T* bias,
                              const T* input, T* output) {
    const std::int64_t inputs = layer.input.channels;
    for (int o = 0; o < layer.output.channels; ++o) {
        T sum = bias[o];
        for (std::int64_t i = 0; i < inputs; ++i) sum += weight[o * inputs + i] * input[i];
        output[o] = sum;
    }
}

template <class T>
constexpr void linear_backward(const LayerInfo& layer, const T* weight, const T* input,
                               const T* grad_output, T* grad_input, T* grad_weight, T* grad_bias) {
    const std::int64_t inputs = layer.input.channels;
    for (int o = 0; o < layer.output.channels; ++o) {
        grad_bias[o] += grad_output[o];
        for (std::int64_t i = 0; i < inputs; ++i) {
            grad_weight[o * inputs + i] += grad_output[o] * input[i];
            if (grad_input != nullptr) grad_input[i] += grad_output[o] * weight[o * inputs + i];
        }
    }
}

/// Index of the input value that wins the window of one output value: the first largest, but the
/// last NaN if there is one.
template <class T>
constexpr std::int64_t winner(const LayerInfo& layer, const T* input, int channel, int y, int x) {
    const Window& w = layer.window;
    std::int64_t best = -1;
    T largest = -std::numeric_limits<T>::infinity();
    for (int i = 0; i < w.kernel_height; ++i)
        for (int j = 0; j < w.kernel_width; ++j) {
            const int row = y * w.stride_height - w.pad_top + i;
            const int column = x * w.stride_width - w.pad_left + j;
            if (row < 0 || row >= layer.input.height || column < 0 || column >= layer.input.width)
                continue;
            const std::int64_t index = at(layer.input, channel, row, column);
            const T value = input[index];
            if (best < 0 || value > largest || value != value) {
                best = index;
                largest = value;
            }
        }
    return best;
}

/// Calls visit(input index, output index, share) for every input value that an output value of an
/// adaptive average pool takes its share of.
template <class T, class Visit>
constexpr void for_each_share(const LayerInfo& layer, const Visit& visit) {
    const Shape& in = layer.input;
    const Shape& out = layer.output;
    const auto begin = [](int index, int inputs, int outputs) {
        return static_cast<int>(std::int64_t{index} * inputs / outputs);
    };
    const auto end = [](int index, int inputs, int outputs) {
        return static_cast<int>((std::int64_t{index + 1} * inputs + outputs - 1) / outputs);
    };
    for_each_value(out, [&](int c, int y, int x) {
        const int top = begin(y, in.height, out.height);
        const int bottom = end(y, in.height, out.height);
        const int left = begin(x, in.width, out.width);
        const int right = end(x, in.width, out.width);
        const T share = T{1} / static_cast<T>((bottom - top) * (right - left));
        for (int row = top; row < bottom; ++row)
            for (int column = left; column < right; ++column)
                visit(at(in, c, row, column), at(out, c, y, x), share);
    });
}

/// The same for an average pool; cells of the padding count, with nothing in them.
template <class T, class Visit>
constexpr void for_each_share_of_window(const LayerInfo& layer, const Visit& visit) {
    const Window& w = layer.window;
    const T share = T{1} / static_cast<T>(w.kernel_height * w.kernel_width);
    for_each_value(layer.output, [&](int c, int y, int x) {
        for (int i = 0; i < w.kernel_height; ++i)
            for (int j = 0; j < w.kernel_width; ++j) {
                const int row = y * w.stride_height - w.pad_top + i;
                const int column = x * w.stride_width - w.pad_left + j;
                if (row >= 0 && row < layer.input.height && column >= 0 &&
                    column < layer.input.width)
                    visit(at(layer.input, c, row, column), at(layer.output, c, y, x), share);
            }
    });
}

/// The two neighbours of a resized pixel along one axis and the weight of the second.
template <class T>
struct Neighbours {
    int first;
    int second;
    T weight;

    constexpr Neighbours(int index, int inputs, int outputs) {
        const T centre =
            (static_cast<T>(index) + T{0.5}) * (static_cast<T>(inputs) / static_cast<T>(outputs)) -
            T{0.5};
        const T source = centre < 0 ? T{0} : centre;
        first = static_cast<int>(source);
        second = first + 1 < inputs ? first + 1 : first;
        weight = source - static_cast<T>(first);
    }
};

/// Calls visit(input index, output index, share) for the four input values of each resized pixel.
template <class T, class Visit>
constexpr void for_each_corner(const LayerInfo& layer, const Visit& visit) {
    const Shape& in = layer.input;
    const Shape& out = layer.output;
    for_each_value(out, [&](int c, int y, int x) {
        const Neighbours<T> rows(y, in.height, out.height);
        const Neighbours<T> columns(x, in.width, out.width);
        const std::int64_t target = at(out, c, y, x);
        const T above = T{1} - rows.weight;
        const T before = T{1} - columns.weight;
        visit(at(in, c, rows.first, columns.first), target, above * before);
        visit(at(in, c, rows.first, columns.second), target, above * columns.weight);
        visit(at(in, c, rows.second, columns.first), target, rows.weight * before);
        visit(at(in, c, rows.second, columns.second), target, rows.weight * columns.weight);
    });
}

/// What local response normalisation raises to the power of beta: k + alpha / size * sum x_j^2.
template <class T>
constexpr T norm_base(const LayerInfo& layer, const T* input, int channel, int y, int x) {
    const int reach = layer.norm_size / 2;
    T sum = 0;
    for (int c = channel - reach; c <= channel + reach; ++c) {
        if (c < 0 || c >= layer.input.channels) continue;
        const T value = input[at(layer.input, c, y, x)];
        sum += value * value;
    }
    return static_cast<T>(layer.norm_k) +
           static_cast<T>(layer.norm_alpha) / static_cast<T>(layer.norm_size) * sum;
}

template <class T>
constexpr void local_response_norm_forward(const LayerInfo& layer, const T* input, T* output) {
    const T beta = static_cast<T>(layer.norm_beta);
    for_each_value(layer.output, [&](int c, int y, int x) {
        const std::int64_t i = at(layer.input, c, y, x);
        output[i] = input[i] / pow(norm_base(layer, input, c, y, x), beta);
    });
}

template <class T>
constexpr void local_response_norm_backward(const LayerInfo& layer, const T* input, const T* output,
                                            const T* grad_output, T* grad_input) {
    const T beta = static_cast<T>(layer.norm_beta);
    const T slope = T{2} * static_cast<T>(layer.norm_alpha) / static_cast<T>(layer.norm_size);
    const int reach = layer.norm_size / 2;
    for_each_value(layer.output, [&](int c, int y, int x) {
        const std::int64_t i = at(layer.input, c, y, x);
        const T base = norm_base(layer, input, c, y, x);
        grad_input[i] += grad_output[i] / pow(base, beta);
        // This output also depends on the neighbours through its base.
        const T through_base = -beta * grad_output[i] * output[i] / base;
        for (int n = c - reach; n <= c + reach; ++n) {
            if (n < 0 || n >= layer.input.channels) continue;
            const std::int64_t neighbour = at(layer.input, n, y, x);
            grad_input[neighbour] += through_base * slope * input[neighbour];
        }
    });
}

template <class T>
constexpr void softmax_forward(const LayerInfo& layer, const T* input, T* output) {
    T largest = input[0];
    for (int i = 1; i < layer.input.channels; ++i)
        if (input[i] > largest) largest = input[i];
    T sum = 0;
    for (int i = 0; i < layer.input.channels; ++i) {
        output[i] = exp(input[i] - largest);
        sum += output[i];
    }
    for (int i = 0; i < layer.input.channels; ++i) output[i] /= sum;
}

template <class T>
constexpr void softmax_backward(const LayerInfo& layer, const T* output, const T* grad_output,
                                T* grad_input) {
    T mean = 0;
    for (int i = 0; i < layer.output.channels; ++i) mean += grad_output[i] * output[i];
    for (int i = 0; i < layer.output.channels; ++i)
        grad_input[i] += output[i] * (grad_output[i] - mean);
}

/// Dropout of one value, forward as well as backward.
template <class T>
constexpr T drop(const LayerInfo& layer, const DropoutMask* mask, std::uint32_t sample,
                 std::int64_t element, T value) {
    if (mask == nullptr) return value;
    return mask->keeps(sample, static_cast<std::uint32_t>(element))
               ? value / (T{1} - static_cast<T>(layer.rate))
               : T{0};
}

/// Mean and variance of a channel over the samples and pixels of a batch; the variance is divided
/// by the count.
template <class T>
struct Moments {
    T mean = 0;
    T variance = 0;
};
template <class T>
constexpr Moments<T> moments_of(const LayerInfo& layer, const T* input, int batch, int channel) {
    const std::int64_t pixels = layer.input.pixels();
    const T count = static_cast<T>(batch * pixels);
    const auto sum = [&](const auto& term) {
        T total = 0;
        for (int sample = 0; sample < batch; ++sample)
            for (std::int64_t i = 0; i < pixels; ++i)
                total += term(input[sample * layer.input.size() + channel * pixels + i]);
        return total;
    };
    Moments<T> moments;
    moments.mean = sum([](T x) { return x; }) / count;
    moments.variance = sum([&](T x) { return (x - moments.mean) * (x - moments.mean); }) / count;
    return moments;
}

}  // namespace detail

/// One channel of one sample of a batch normalisation.
template <class T>
constexpr void normalize(const LayerInfo& layer, T mean, T variance, T weight, T bias,
                         const T* input, T* output) {
    const T scale = weight / sqrt(variance + static_cast<T>(layer.epsilon));
    for (std::int64_t i = 0; i < layer.input.pixels(); ++i)
        output[i] = (input[i] - mean) * scale + bias;
}

/// Forward of a batch normalisation in training, over a whole batch. Moves the running statistics
/// ([channels] each) towards the batch's.
template <class T>
constexpr void batch_norm_forward(const LayerInfo& layer, int batch, const T* weight, const T* bias,
                                  const T* input, T* output, T* running_mean, T* running_variance) {
    const std::int64_t pixels = layer.input.pixels();
    const T count = static_cast<T>(batch * pixels);
    const T momentum = static_cast<T>(layer.momentum);
    for (int c = 0; c < layer.input.channels; ++c) {
        const auto [mean, variance] = detail::moments_of(layer, input, batch, c);
        for (int sample = 0; sample < batch; ++sample) {
            const std::int64_t start = sample * layer.input.size() + c * pixels;
            normalize(layer, mean, variance, weight[c], bias[c], input + start, output + start);
        }
        running_mean[c] += momentum * (mean - running_mean[c]);
        running_variance[c] += momentum * (variance * count / (count - 1) - running_variance[c]);
    }
}

/// Its backward: with x' = (x - mean) / deviation and sums over the batch's samples and pixels,
/// grad_bias = sum dy, grad_weight = sum dy x', and
/// dx = weight / deviation * (dy - grad_bias / count - x' * grad_weight / count). Gradients are
/// added to what is there.
template <class T>
constexpr void batch_norm_backward(const LayerInfo& layer, int batch, const T* weight,
                                   const T* input, const T* grad_output, T* grad_input,
                                   T* grad_weight, T* grad_bias) {
    const std::int64_t pixels = layer.input.pixels();
    const T count = static_cast<T>(batch * pixels);
    for (int c = 0; c < layer.input.channels; ++c) {
        // Not as a structured binding, which clang 14 lets no lambda capture.
        const detail::Moments<T> moments = detail::moments_of(layer, input, batch, c);
        const T deviation = sqrt(moments.variance + static_cast<T>(layer.epsilon));
        const auto for_each = [&](const auto& visit) {
            for (int sample = 0; sample < batch; ++sample)
                for (std::int64_t i = 0; i < pixels; ++i) {
                    const std::int64_t place = sample * layer.input.size() + c * pixels + i;
                    visit(place, (input[place] - moments.mean) / deviation);
                }
        };
        T sum = 0, product = 0;
        for_each([&](std::int64_t place, T normal) {
            sum += grad_output[place];
            product += grad_output[place] * normal;
        });
        grad_bias[c] += sum;
        grad_weight[c] += product;
        for_each([&](std::int64_t place, T normal) {
            grad_input[place] += weight[c] / deviation *
                                 (grad_output[place] - sum / count - normal * product / count);
        });
    }
}

/// Computes the output of a layer for one sample. `weight` and `bias` are read only where the layer
/// has parameters. A dropout layer drops what `mask` says for sample number `sample` of the batch;
/// without a mask (inference) it passes everything. A batch normalisation or a join is not for this
/// function: the one sees the whole batch, the other has several inputs.
template <class T>
constexpr void forward(const LayerInfo& layer, const T* weight, const T* bias, const T* input,
                       T* output, const DropoutMask* mask = nullptr, std::uint32_t sample = 0) {
    const std::int64_t count = layer.output.size();
    const auto add_share = [&](std::int64_t from, std::int64_t to, T share) {
        output[to] += share * input[from];
    };
    switch (layer.kind) {
        case LayerKind::conv2d:
            return detail::conv2d_forward(layer, weight, bias, input, output);
        case LayerKind::linear:
            return detail::linear_forward(layer, weight, bias, input, output);
        case LayerKind::relu:
            // Written so that NaN stays NaN.
            for (std::int64_t i = 0; i < count; ++i) output[i] = input[i] <= 0 ? T{0} : input[i];
            return;
        case LayerKind::max_pool2d:
            detail::for_each_value(layer.output, [&](int c, int y, int x) {
                output[detail::at(layer.output, c, y, x)] =
                    input[detail::winner(layer, input, c, y, x)];
            });
            return;
        case LayerKind::adaptive_avg_pool2d:
            for (std::int64_t i = 0; i < count; ++i) output[i] = 0;
            return detail::for_each_share<T>(layer, add_share);
        case LayerKind::avg_pool2d:
            for (std::int64_t i = 0; i < count; ++i) output[i] = 0;
            return detail::for_each_share_of_window<T>(layer, add_share);
        case LayerKind::resize:
            for (std::int64_t i = 0; i < count; ++i) output[i] = 0;
            return detail::for_each_corner<T>(layer, add_share);
        case LayerKind::dropout:
            for (std::int64_t i = 0; i < count; ++i)
                output[i] = detail::drop(layer, mask, sample, i, input[i]);
            return;
        case LayerKind::flatten:
        case LayerKind::expect:
            for (std::int64_t i = 0; i < count; ++i) output[i] = input[i];
            return;
        case LayerKind::softmax:
            return detail::softmax_forward(layer, input, output);
        case LayerKind::local_response_norm:
            return detail::local_response_norm_forward(layer, input, output);
        case LayerKind::custom:
            return layer.custom->forward({layer, input, weight, bias, output});
        case LayerKind::batch_norm2d:
        case LayerKind::add:
        case LayerKind::concat:
            break;
    }
    throw Error("the reference computes " + std::string{layer.type} +
                " over a batch or several inputs; use an Executor");
}

/// Propagates the gradient of one sample through a layer. `input`, `output`, `mask` and `sample`
/// are those of the forward pass. Gradients are added to `grad_input` (unless null, which a custom
/// layer does not allow) and, where the layer has parameters, to `grad_weight` and `grad_bias`.
template <class T>
constexpr void backward(const LayerInfo& layer, const T* weight, const T* bias, const T* input,
                        const T* output, const T* grad_output, T* grad_input, T* grad_weight,
                        T* grad_bias, const DropoutMask* mask = nullptr, std::uint32_t sample = 0) {
    if (layer.kind == LayerKind::conv2d)
        return detail::conv2d_backward(layer, weight, input, grad_output, grad_input, grad_weight,
                                       grad_bias);
    if (layer.kind == LayerKind::linear)
        return detail::linear_backward(layer, weight, input, grad_output, grad_input, grad_weight,
                                       grad_bias);
    if (layer.kind == LayerKind::custom) {
        return layer.custom->backward(
            {layer, input, output, weight, bias, grad_output, grad_input, grad_weight, grad_bias});
    }
    if (grad_input == nullptr) return;

    const std::int64_t count = layer.output.size();
    const auto add_share = [&](std::int64_t to, std::int64_t from, T share) {
        grad_input[to] += share * grad_output[from];
    };
    switch (layer.kind) {
        case LayerKind::conv2d:
        case LayerKind::linear:
        case LayerKind::custom:
            return;  // above
        case LayerKind::relu:
            for (std::int64_t i = 0; i < count; ++i)
                grad_input[i] += output[i] <= 0 ? T{0} : grad_output[i];
            return;
        case LayerKind::max_pool2d:
            detail::for_each_value(layer.output, [&](int c, int y, int x) {
                grad_input[detail::winner(layer, input, c, y, x)] +=
                    grad_output[detail::at(layer.output, c, y, x)];
            });
            return;
        case LayerKind::adaptive_avg_pool2d:
            return detail::for_each_share<T>(layer, add_share);
        case LayerKind::avg_pool2d:
            return detail::for_each_share_of_window<T>(layer, add_share);
        case LayerKind::resize:
            return detail::for_each_corner<T>(layer, add_share);
        case LayerKind::dropout:
            for (std::int64_t i = 0; i < count; ++i)
                grad_input[i] += detail::drop(layer, mask, sample, i, grad_output[i]);
            return;
        case LayerKind::flatten:
        case LayerKind::expect:
            for (std::int64_t i = 0; i < count; ++i) grad_input[i] += grad_output[i];
            return;
        case LayerKind::softmax:
            return detail::softmax_backward(layer, output, grad_output, grad_input);
        case LayerKind::local_response_norm:
            return detail::local_response_norm_backward(layer, input, output, grad_output,
                                                        grad_input);
        case LayerKind::batch_norm2d:
        case LayerKind::add:
        case LayerKind::concat:
            break;
    }
    throw Error("the reference computes " + std::string{layer.type} +
                " over a batch or several inputs; use an Executor");
}

/// Calls visit(values of the input, values of the output, count) for each input of a layer that
/// adds or concatenates: where the operand's values, which lie one after the other, go. Of one
/// sample.
template <class Operands, class Out, class Visit>
constexpr void for_each_operand(const LayerInfo& layer, const Operands& operand_of, Out* output,
                                const Visit& visit) {
    for (int i = 0; i < layer.sources.count; ++i) {
        const auto [values, count] = operand_of(i);
        visit(values, output, count);
        if (layer.kind == LayerKind::concat) output += count;
    }
}

}  // namespace typenet::reference
