#include <typenet/typenet.hpp>

const void* layers_of_alexnet_seen_from_second_unit() {
    return &typenet::models::AlexNet::layers;
}
