// Counts the allocations of this program, so that a test can ask for none.
#pragma once

#include <cstdint>

/// How many times operator new has been called, on all threads together.
std::int64_t allocations();
