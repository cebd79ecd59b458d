// How many threads a backend may use.
#pragma once

namespace typenet {

/// How many threads compute, the calling one included; 0 means one for each processor.
struct Threads {
    int count = 0;
};

}  // namespace typenet
