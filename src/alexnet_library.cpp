// The library typenet::alexnet: AlexNet's kernels, compiled once.
#include "typenet/models/alexnet_library.hpp"

namespace typenet::cpu {

TYPENET_ALEXNET_KERNELS()

}  // namespace typenet::cpu
