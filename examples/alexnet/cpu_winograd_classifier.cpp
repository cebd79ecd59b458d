// The known networks in inference on the processor, with convolutions by Winograd's algorithm.
#include "make_classifier.hpp"
#include "on_cpu.hpp"

namespace alexnet {

std::unique_ptr<Classifier> make_cpu_winograd_classifier(const typenet::models::KnownNetwork& known,
                                                         const typenet::TensorFile& file,
                                                         const std::filesystem::path& path,
                                                         std::int64_t batch,
                                                         const MachineOptions& machine) {
    return make_classifier<typenet::Cpu<float>, typenet::Winograd>(known, file, path, batch,
                                                                   machine);
}

}  // namespace alexnet
