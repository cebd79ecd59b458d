// Everything that trains and runs networks on the processor.
#pragma once

#include "typenet/backends/cpu/cpu.hpp"
#include "typenet/core.hpp"
#include "typenet/data/cifar10.hpp"
#include "typenet/data/dataset.hpp"
#include "typenet/data/loader.hpp"
#include "typenet/data/synthetic.hpp"
#include "typenet/data/transforms.hpp"
#include "typenet/io/safetensors.hpp"
#include "typenet/models/alexnet.hpp"
#include "typenet/training/initialization.hpp"
#include "typenet/training/losses.hpp"
#include "typenet/training/metrics.hpp"
#include "typenet/training/model.hpp"
#include "typenet/training/optimizers.hpp"
#include "typenet/training/predictor.hpp"
#include "typenet/training/trainer.hpp"
