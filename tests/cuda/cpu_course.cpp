// The CPU's side of course.hpp.
#include "cuda/course.hpp"
#include "typenet/backends/cpu/cpu.hpp"

namespace typenet::testing {

Course take_course_on_cpu(const Images& images, const Sgd& optimizer) {
    return take_course<Cpu<float>>(images, optimizer);
}
Course take_course_on_cpu(const Images& images, const Sgd& optimizer, ClipNorm clip) {
    return take_course<Cpu<float>>(images, optimizer, clip);
}
Course take_course_on_cpu(const Images& images, const Adam& optimizer) {
    return take_course<Cpu<float>>(images, optimizer);
}

float continue_on_cpu(const Interim& run, const Adam& optimizer, const ImageBatch& batch) {
    Model<SmallAlexNet, Cpu<float>> model;
    Trainer trainer{model, CrossEntropy{}, optimizer, Batch{batch.size()}, Seed{4}};
    trainer.set_steps(run.steps);
    for (const auto& [name, values] : run.parameters) model.set(name, values);
    for (const int slot : {0, 1})
        for (const auto& [name, values] : run.moments[slot]) trainer.set_state(name, slot, values);
    trainer.step(batch);
    return trainer.loss();
}

}  // namespace typenet::testing
