// The test of given weights, and the network as a table.
#pragma once

#include <typenet/core/memory_plan.hpp>
#include <typenet/io/weights.hpp>
#include <typenet/models/alexnet.hpp>
#include <typenet/training/model.hpp>
#include <typenet/training/optimizers.hpp>
#include <typenet/training/predictor.hpp>

#include "run.hpp"
#include "session.hpp"
#include "system.hpp"
#include "test.hpp"

namespace alexnet {

template <class System, class Backend>
void evaluate(const EvalOptions& options) {
    namespace tn = typenet;
    const tn::Dataset data = load_data(options.data, tn::Split::test);
    const std::vector<std::string> names = class_names(data);
    require_writable(options.json);

    tn::Model<typename System::Network, Backend> model{tn::Seed{}, tn::Initialization::pytorch,
                                                       tn::Threads{options.machine.threads}};
    require_classes(tn::load(model, options.weights), names, options.weights);
    tn::Predictor predictor{model, test_batch(data)};
    print_device(describe<Backend>(model.context(), options.machine));
    Progress progress{options.progress};
    const TestResult result = run_test(predictor, System::normalization, data, progress, "test");
    if (!options.json.empty()) write_report(options.json, result, names);
    print_test(result, names);
}

template <class Backend>
void run(const EvalOptions& options) {
    const auto file = typenet::SafetensorsFile::open(options.weights);
    with_system(recipe_of(file.metadata()),
                [&](auto system) { evaluate<decltype(system), Backend>(options); });
}

template <class Backend>
void run(const InfoOptions& options) {
    namespace tn = typenet;
    using Net = tn::models::AlexNet;
    const typename Backend::Context context{tn::Threads{options.threads}};
    const int threads = context.threads();
    print_network("AlexNet", Net::layers, options.batch);
    const PlannedMemory plans[] = {
        {"training, SGD",
         tn::memory_plan<Net, Backend, tn::Training<tn::Sgd>>(options.batch, threads)},
        {"training, Adam",
         tn::memory_plan<Net, Backend, tn::Training<tn::Adam>>(options.batch, threads)},
        {"inference", tn::memory_plan<Net, Backend, tn::Predicting>(options.batch, threads)},
    };
    print_memory(plans, options.batch, threads);
}

}  // namespace alexnet
