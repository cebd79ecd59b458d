#include <typenet/typenet.hpp>

// One entity in the whole program: both units must name the same object.
const void* layers_of_alexnet_seen_from_second_unit();

int main() {
    const bool same =
        &typenet::models::AlexNet::layers == layers_of_alexnet_seen_from_second_unit();
    return same ? 0 : 1;
}
