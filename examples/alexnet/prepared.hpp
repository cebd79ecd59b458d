// Images of a data set on the way that photos go.
#pragma once

#include <typenet/core/shape.hpp>
#include <typenet/data/loader.hpp>
#include <typenet/data/photo.hpp>
#include <vector>

namespace alexnet {

/// The input of a network of shape `input`, [images][3][rows][columns], from the pixels of a batch.
/// Throws typenet::ShapeError.
std::vector<float> prepared(const typenet::ImageBatch& images,
                            const typenet::Preprocessing& preprocessing,
                            const typenet::Shape& input);

}  // namespace alexnet
