// The known networks in inference on the processor.
#include "make_classifier.hpp"
#include "on_cpu.hpp"

namespace alexnet {

std::unique_ptr<Classifier> make_cpu_classifier(const typenet::models::KnownNetwork& known,
                                                const typenet::TensorFile& file,
                                                const std::filesystem::path& path,
                                                std::int64_t batch, const MachineOptions& machine) {
    return make_classifier<typenet::Cpu<float>>(known, file, path, batch, machine);
}

}  // namespace alexnet
