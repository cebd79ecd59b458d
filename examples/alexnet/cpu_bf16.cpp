// All that computes on the processor in bf16 is compiled here.
#include <typenet/bf16.hpp>

#include "make_classifier.hpp"
#include "train.hpp"

namespace alexnet {

using Backend = typenet::Cpu<typenet::bf16>;

template <>
std::string describe<Backend>(const Backend::Context& context, const MachineOptions& machine) {
    return describe_cpu(to_string(context.isa), context.threads(), machine);
}

void train_in_bf16(const TrainOptions& options) {
    const std::string& recipe = options.recipe.name;
    if (recipe == "keras") return train<KerasSystem, Backend>(options);
    if (recipe == "pytorch") return train<PytorchSystem, Backend>(options);
    throw typenet::Error("--precision: bf16 on the CPU is for the recipes pytorch and keras, not " +
                         recipe + "; use f32, or --device cuda");
}

std::unique_ptr<Classifier> make_bf16_classifier(const typenet::models::KnownNetwork& known,
                                                 const typenet::TensorFile& file,
                                                 const std::filesystem::path& path,
                                                 std::int64_t batch,
                                                 const MachineOptions& machine) {
    return make_classifier<Backend>(known, file, path, batch, machine);
}

}  // namespace alexnet
