// The known networks in inference on the processor, with convolutions by Winograd's algorithm.
#include <typenet/backends/cpu/cpu.hpp>

#include "make_classifier.hpp"

namespace alexnet {

template <>
std::string describe<typenet::Cpu<float>>(const typenet::Cpu<float>::Context& context,
                                          const MachineOptions& machine);  // in cpu.cpp

std::unique_ptr<Classifier> make_cpu_winograd_classifier(const typenet::models::KnownNetwork& known,
                                                         const typenet::TensorFile& file,
                                                         const std::filesystem::path& path,
                                                         std::int64_t batch,
                                                         const MachineOptions& machine) {
    return make_classifier<typenet::Cpu<float>, typenet::Winograd>(known, file, path, batch,
                                                                   machine);
}

}  // namespace alexnet
