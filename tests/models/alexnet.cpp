// What is known of AlexNet without running it.
#include "typenet/models/alexnet.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "typenet/core.hpp"
#include "typenet/core/error.hpp"

namespace {

using typenet::LayerInfo;
using typenet::LayerKind;
using typenet::Shape;
using typenet::models::AlexNet;
using typenet::models::BasicAlexNet;

const LayerInfo& layer(const std::string& name) {
    for (const LayerInfo& info : AlexNet::layers)
        if (info.name == name) return info;
    throw typenet::Error("no layer " + name);
}

}  // namespace

TEST_CASE("AlexNet has the shapes of the PyTorch class") {
    CHECK(AlexNet::input_shape == Shape{3, 227, 227});
    CHECK(layer("cn1").output == Shape{96, 55, 55});
    CHECK(layer("cn2").input == Shape{96, 27, 27});
    CHECK(layer("cn2").output == Shape{256, 27, 27});
    CHECK(layer("cn3").input == Shape{256, 13, 13});
    CHECK(layer("cn3").output == Shape{384, 13, 13});
    CHECK(layer("cn4").output == Shape{384, 13, 13});
    CHECK(layer("cn5").output == Shape{256, 13, 13});
    CHECK(layer("fc1").input == Shape{9216});
    CHECK(layer("fc1").output == Shape{4096});
    CHECK(layer("fc2").output == Shape{4096});
    CHECK(AlexNet::output_shape == Shape{10});
}

TEST_CASE("AlexNet has the parameters of the PyTorch class") {
    CHECK(layer("cn1").parameter_count() == 96 * 3 * 11 * 11 + 96);
    CHECK(layer("cn2").parameter_count() == 256 * 96 * 5 * 5 + 256);
    CHECK(layer("cn3").parameter_count() == 384 * 256 * 3 * 3 + 384);
    CHECK(layer("cn4").parameter_count() == 384 * 384 * 3 * 3 + 384);
    CHECK(layer("cn5").parameter_count() == 256 * 384 * 3 * 3 + 256);
    CHECK(layer("fc1").parameter_count() == 4096 * 9216 + 4096);
    CHECK(layer("fc2").parameter_count() == 4096 * 4096 + 4096);
    CHECK(layer("fc3").parameter_count() == 10 * 4096 + 10);
    CHECK(AlexNet::parameter_count == 58'322'314);
    CHECK(BasicAlexNet<1000>::parameter_count == 58'322'314 + 990 * (4096 + 1));
    CHECK(BasicAlexNet<1000>::output_shape == Shape{1000});
}

TEST_CASE("AlexNet drops out before it rectifies, without local response normalisation") {
    std::vector<LayerKind> kinds;
    for (const LayerInfo& info : AlexNet::layers) kinds.push_back(info.kind);
    using enum LayerKind;
    CHECK(kinds == std::vector<LayerKind>{conv2d,  relu,    max_pool2d,        //
                                          conv2d,  relu,    max_pool2d,        //
                                          conv2d,  relu,    conv2d,     relu,  //
                                          conv2d,  relu,    max_pool2d,        //
                                          flatten, expect,                     //
                                          linear,  dropout, relu,              //
                                          linear,  dropout, relu,       linear});
    for (const LayerInfo& info : AlexNet::layers)
        if (info.kind == dropout) CHECK(info.rate == 0.5f);
}

TEST_CASE("counts of AlexNet's operations do not overflow an int") {
    const std::int64_t convolutions = 96LL * 55 * 55 * 363 + 256LL * 27 * 27 * 2400 +
                                      384LL * 169 * 2304 + 384LL * 169 * 3456 + 256LL * 169 * 3456;
    const std::int64_t linears = 4096LL * 9216 + 4096LL * 4096 + 10LL * 4096;
    CHECK(AlexNet::macs == convolutions + linears);
    CHECK(AlexNet::flops == 2'262'402'112);
}
