// The compiler as a processor: networks that have computed before the program starts.
//
// The reference backend is plain loops, and all of it is constexpr. So what a network says about an
// input can be asserted like its shapes, and weights can be part of the program: no file to ship,
// to find or to check.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <typenet/backends/reference/network.hpp>
#include <typenet/core.hpp>
#include <typenet/data/synthetic.hpp>

#include "03_drawings.hpp"
#include "03_weights.hpp"

namespace tn = typenet;

// Weights by hand. The convolution answers to a step from dark to bright, the pool asks whether
// there is one anywhere, and the linear layer makes yes or no of it.
using EdgeFinder = tn::Network<tn::Input<1, 4, 4>, tn::Conv2d<1, tn::Kernel<1, 2>>, tn::Relu,
                               tn::MaxPool2d<tn::Kernel<4, 3>>, tn::Flatten, tn::Linear<2>>;
constexpr std::array<double, EdgeFinder::parameter_count> by_hand{
    -1, 1,  -0.5,    // right minus left, if it is more than a half
    1,  -1, 0,    1  // yes grows with it, no falls from 1
};
constexpr bool has_edge(const std::array<double, 16>& image) {
    const auto [yes, no] = tn::reference::evaluate<EdgeFinder>(by_hand, image);
    return yes > no;
}
static_assert(has_edge({0, 0, 9, 9,  //
                        0, 0, 9, 9,  //
                        0, 0, 9, 9,  //
                        0, 0, 9, 9}));
static_assert(!has_edge({5, 5, 5, 5,  //
                         5, 5, 5, 5,  //
                         5, 5, 5, 5,  //
                         5, 5, 5, 5}));

// Weights by training. 04_embed_weights.cpp has trained this network on images and has written
// its weights as a header; they are data of this program, and known to the compiler.
using Net = drawings::Net;
static_assert(trained_weights.size() == Net::parameter_count && Net::macs == 42'752);

constexpr int class_of(const drawings::Drawing& drawing) {
    const auto logits = tn::reference::evaluate<Net>(trained_weights, drawing);
    return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// It reads drawings like this one, where each # is ink.
constexpr drawings::Drawing ink(std::string_view text) {
    drawings::Drawing drawing{};
    for (std::size_t i = 0; i < drawing.size(); ++i) drawing[i] = text[i] == '#' ? 1.0f : 0.0f;
    return drawing;
}

constexpr int ring = 1, cross = 5;  // the classes count from disc, ring, square

static_assert(class_of(ink("................"
                           "................"
                           "................"
                           "......####......"
                           "....########...."
                           "...####..####..."
                           "...##......##..."
                           "..###......###.."
                           "..##........##.."
                           "..##........##.."
                           "..###......###.."
                           "...##......##..."
                           "...####..####..."
                           "....########...."
                           "......####......"
                           "................")) == ring);

static_assert(class_of(ink("................"
                           "................"
                           "......####......"
                           "......####......"
                           "......####......"
                           "......####......"
                           "..############.."
                           "..############.."
                           "..############.."
                           "..############.."
                           "......####......"
                           "......####......"
                           "......####......"
                           "......####......"
                           "................"
                           "................")) == cross);

int main() {
    // The same functions run in the program as well, on images that the network has never seen.
    const tn::Dataset images = tn::make_synthetic(tn::Split::test, 500);
    int right = 0;
    for (std::int64_t i = 0; i < images.size(); ++i)
        right += class_of(drawings::drawing_of(images.image(i))) ==
                 images.labels[static_cast<std::size_t>(i)];
    std::printf("%d of %lld unseen images are taken for what they show\n", right,
                static_cast<long long>(images.size()));
    return 100 * right > 95 * images.size() ? 0 : 1;
}
