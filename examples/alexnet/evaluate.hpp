// The test of given weights.
#pragma once

#include <typenet/io/weights.hpp>
#include <typenet/models/alexnet.hpp>
#include <typenet/training/model.hpp>
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
    const tn::DeviceImages images{model, data};
    print_device(describe<Backend>(model.context(), options.machine));
    if (!images.is_on_device()) print_copies("test", data);
    Progress progress{options.progress};
    const TestResult result = run_test(predictor, System::normalization, images, progress, "test");
    if (!options.json.empty()) write_report(options.json, result, names);
    print_test(result, names);
}

template <class Backend>
void run(const EvalOptions& options) {
    const auto file = typenet::SafetensorsFile::open(options.weights);
    with_system(recipe_of(file.metadata()),
                [&](auto system) { evaluate<decltype(system), Backend>(options); });
}

}  // namespace alexnet
