// The version of typenet. CMakeLists.txt reads it from here.
#pragma once

#define TYPENET_VERSION_MAJOR 0
#define TYPENET_VERSION_MINOR 1
#define TYPENET_VERSION_PATCH 0
