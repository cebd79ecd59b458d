// The network and its memory as text and as a drawing. Types and plans alone: no kernel is
// compiled.
#include <typenet/backends/cpu/thread_pool.hpp>
#include <typenet/core.hpp>
#include <typenet/io/atomic_file.hpp>
#include <typenet/io/model_card.hpp>
#include <typenet/io/plan_drawing.hpp>
#include <typenet/models/alexnet.hpp>

#include "report.hpp"
#include "run.hpp"

namespace alexnet {

namespace tn = typenet;

namespace {

using Net = tn::models::AlexNet;
using Backend = tn::Cpu<float>;

tn::CardFormat format_of(const InfoOptions& options) {
    if (options.format == "markdown") return tn::CardFormat::markdown;
    if (options.format == "dot") return tn::CardFormat::dot;
    if (options.format == "json") return tn::CardFormat::json;
    return tn::CardFormat::table;
}

}  // namespace

void run(const InfoOptions& options) {
    if (!options.plan.empty())
        tn::write_file(options.plan, tn::draw_plan<Net, Backend, tn::Training<tn::Sgd>>(
                                         "AlexNet, training", options.batch));
    std::optional<tn::Peak> peak;
    if (options.peak > 0) peak = tn::Peak{options.peak * 1e9, options.bandwidth * 1e9};
    const auto card = tn::model_card<Net>(options.batch);
    print(tn::to_text(card, format_of(options), "AlexNet", peak));
    if (options.format != "table") return;  // what is for programs to read stays what they expect

    const int threads = tn::cpu::ThreadPool{tn::Threads{options.threads}}.size();
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
