// A data set where a model computes.
#pragma once

#include "typenet/data/dataset.hpp"

namespace typenet {

template <class Net, class Backend>
class Model;

/// The images of a data set where a model computes, so that a step is handed their indices alone:
///
///     const DeviceImages images{model, dataset};
///     const Loader loader{dataset, {.batch = 64, .gather = false}};
///     for (const ImageBatch& batch : loader.epoch(0)) trainer.step(images, batch);
///
/// A GPU gets a copy of all pixels, once. Make the Trainer and the Predictor first: should their
/// memory leave too little, the pixels stay in the host's, `is_on_device()` says so, and each batch
/// is gathered and copied. On the CPU nothing is ever copied. The data set must outlive this and
/// must not change; models of the same backend and device may share it.
template <class Backend>
class DeviceImages {
public:
    /// Throws Error where the data set is not valid.
    template <class Net>
    DeviceImages(const Model<Net, Backend>& model, const Dataset& dataset)
        : dataset_(&dataset), store_(model.context(), validated(dataset)) {}
    template <class Net>
    DeviceImages(const Model<Net, Backend>&, const Dataset&&) = delete;  // it would not live on

    bool is_on_device() const { return store_.is_on_device(); }
    const Dataset& dataset() const { return *dataset_; }
    const typename Backend::ImageStore& store() const { return store_; }

private:
    static const Dataset& validated(const Dataset& dataset) {
        dataset.validate();
        return dataset;
    }

    const Dataset* dataset_;
    typename Backend::ImageStore store_;
};

}  // namespace typenet
