// What 03_compile_time.cpp and 04_embed_weights.cpp share: a network that tells ten shapes apart in
// drawings of 16x16, and how a photograph-like image becomes such a drawing.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <typenet/core.hpp>

namespace drawings {

namespace tn = typenet;

using Net = tn::Network<tn::Input<1, 16, 16>,                                    //
                        tn::Conv2d<6, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,  //
                        tn::Exact<tn::MaxPool2d<tn::Kernel<2>>>,                 //
                        tn::Conv2d<8, tn::Kernel<3>, tn::Padding<1>>, tn::Relu,  //
                        tn::Exact<tn::MaxPool2d<tn::Kernel<2>>>,                 //
                        tn::Flatten, tn::Linear<10>>;

/// Ink between 0 and 1, row by row.
using Drawing = std::array<float, static_cast<std::size_t>(Net::input_shape.size())>;

/// An image of 3x32x32 by how far its pixels are from the colour of its rim; four make one.
inline Drawing drawing_of(std::span<const std::uint8_t> image) {
    const auto at = [&](int channel, int y, int x) {
        return static_cast<float>(image[static_cast<std::size_t>((channel * 32 + y) * 32 + x)]);
    };
    Drawing drawing{};
    for (int channel = 0; channel < 3; ++channel) {
        float rim = 0;
        for (int i = 0; i < 32; ++i)
            rim += at(channel, 0, i) + at(channel, 31, i) + at(channel, i, 0) + at(channel, i, 31);
        rim /= 4 * 32;
        for (int y = 0; y < 32; ++y)
            for (int x = 0; x < 32; ++x)
                drawing[static_cast<std::size_t>(y / 2 * 16 + x / 2)] +=
                    std::abs(at(channel, y, x) - rim);
    }
    const float most = *std::max_element(drawing.begin(), drawing.end());
    for (float& ink : drawing) ink /= most;
    return drawing;
}

}  // namespace drawings
