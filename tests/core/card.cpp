// The model card as constant expressions.
#include "typenet/core/card.hpp"

#include "support/catch.hpp"
#include "typenet/layers/conv2d.hpp"
#include "typenet/layers/flatten.hpp"
#include "typenet/layers/linear.hpp"
#include "typenet/layers/relu.hpp"
#include "typenet/models/alexnet.hpp"

using namespace typenet;
using models::AlexNet;

using Small = Network<Input<2, 5, 5>, Conv2d<4, Kernel<3>>, Relu, Flatten, Linear<10>>;

// Batch 3 of 2-byte values: the convolution reads 2x5x5 a sample and 4 * (2 * 9 + 1) parameters.
constexpr auto card = model_card<Small>(3, 2);
static_assert(card.layers[0].cost == Cost{2 * 3 * 9 * 4 * 18, 2 * (3 * 50 + 76), 2 * 3 * 36});
static_assert(card.layers[1].cost == Cost{0, 2 * 3 * 36, 2 * 3 * 36});
static_assert(card.layers[2].cost == Cost{});
static_assert(card.layers[3].cost == Cost{2 * 3 * 360, 2 * (3 * 36 + 370), 2 * 3 * 10});
static_assert(card.total().flops == 3 * Small::flops);
static_assert(card.total().bytes_read == 452 + 216 + 956);
static_assert(card.total().bytes_written == 216 + 216 + 60);

// 1 FLOP and 4 bytes a second: the ReLU waits for memory, the convolution for arithmetic.
constexpr Peak peak{1, 4};
static_assert(card.layers[0].cost.seconds(peak) == 3'888);
static_assert(card.layers[1].cost.seconds(peak) == 108);
static_assert(card.seconds(peak) == 3'888 + 108 + 0 + 2'160);
static_assert(card.layers[2].cost.intensity() == 0);
static_assert(Cost{6, 2, 1}.intensity() == 2);

static_assert(model_card<AlexNet>(64).total().flops == 64 * AlexNet::flops);
static_assert(model_card<AlexNet>().layers[15].cost.bytes_read == 4 * (9216 + 37'752'832));

TEST_CASE("A card at run time is the compiler's") {
    const auto made = model_card<Small>(3, 2);
    CHECK(made.total() == card.total());
    CHECK(made.layers[0].cost == card.layers[0].cost);
}
